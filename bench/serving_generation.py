"""Generation: our engine against ``hf.generate`` at the same batch, on the same weights.

64 tokens of prompt and 64 new ones, greedy, without HTTP, each side in a process of its own;
they take turns, so that whatever else the machine does slows both down alike.
"""

import json
import statistics
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from bench.engine import running_engine
from bench.in_process_hf import HuggingFace, Prompt, timed
from bench.measurement import Measurement
from bench.serving_model import SPECIAL, VOCABULARY, write_twins
from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.protocol import Completion, GenerateRequest

BATCHES = (1, 8, 32)
RUNS = 5
PROMPT = 64
NEW = 64


def measure() -> list[Measurement]:
    """The median of `RUNS` ratios of tokens per second, at each batch size."""
    with warnings.catch_warnings(), TemporaryDirectory() as directory:
        warnings.simplefilter("ignore")
        folder = Path(directory)
        write_twins(folder)
        with (
            HuggingFace.of(folder / "hugging-face") as theirs,
            running_engine(folder / "checkpoint") as batcher,
        ):
            return [compare(batcher, theirs, batch) for batch in BATCHES]


def compare(batcher: Batcher, theirs: HuggingFace, batch: int) -> Measurement:
    """Return how many times as fast we are."""
    random = Random(batch)  # noqa: S311 - prompts, not secrets
    ratios = []
    for _ in range(RUNS + 1):
        prompts = [
            tuple(random.randrange(len(SPECIAL), VOCABULARY) for _ in range(PROMPT))
            for _ in range(batch)
        ]
        ratios.append(theirs.generate(prompts, NEW) / timed(generation(batcher, prompts)))
    ratio = statistics.median(ratios[1:])  # the first warms both up
    return Measurement(f"generate_{batch}_vs_hf", ratio, "×", 1.0, "higher")


def generation(batcher: Batcher, prompts: Sequence[Prompt]) -> Callable[[], None]:
    """Return our run of one batch."""

    def run() -> None:
        futures: list[Future[Completion]] = [
            batcher.submit(GenerateRequest(prompt=prompt, max_new_tokens=NEW)) for prompt in prompts
        ]
        if any(len(future.result().tokens) != NEW for future in futures):
            raise AssertionError(f"{NEW} new tokens were asked for")

    return run


if __name__ == "__main__":
    print(json.dumps([found.record() for found in measure()], indent=2))
