"""Generation: our engine against ``hf.generate`` at the same batch, on the same weights.

64 tokens of prompt and 64 new ones, greedy, in process on both sides; they take turns, so that
whatever else the machine does slows both down alike.
"""

import json
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from bench.engine import running_engine
from bench.measurement import Measurement
from bench.serving_model import SPECIAL, VOCABULARY, write_twins
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
        theirs = hugging_face(folder)
        with running_engine(folder / "checkpoint") as batcher:

            def ours(prompts: Sequence[tuple[int, ...]]) -> None:
                futures: list[Future[Completion]] = [
                    batcher.submit(GenerateRequest(prompt=prompt, max_new_tokens=NEW))
                    for prompt in prompts
                ]
                assert all(len(future.result().tokens) == NEW for future in futures)  # noqa: S101

            return [compare(ours, theirs, batch) for batch in BATCHES]


def compare(ours: Callable[..., None], theirs: Callable[..., None], batch: int) -> Measurement:
    """Return how many times as fast we are."""
    random = Random(batch)  # noqa: S311 - prompts, not secrets
    ratios = []
    for _ in range(RUNS + 1):
        prompts = [
            tuple(random.randrange(len(SPECIAL), VOCABULARY) for _ in range(PROMPT))
            for _ in range(batch)
        ]
        ratios.append(seconds(theirs, prompts) / seconds(ours, prompts))
    ratio = statistics.median(ratios[1:])  # the first warms both up
    return Measurement(f"generate_{batch}_vs_hf", ratio, "×", 1.0, "higher")


def seconds(serve: Callable[..., None], prompts: Sequence[tuple[int, ...]]) -> float:
    """Time one batch."""
    begin = time.perf_counter()
    serve(prompts)
    return time.perf_counter() - begin


def hugging_face(folder: Path) -> Callable[[Sequence[tuple[int, ...]]], None]:
    """Return ``generate`` of the same model in transformers."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder / "hugging-face", dtype=torch.float32)
    model.eval()
    model.generation_config.eos_token_id = None

    def generate(prompts: Sequence[tuple[int, ...]]) -> None:
        ids = torch.tensor(prompts)
        mask = torch.ones_like(ids)
        out = model.generate(ids, attention_mask=mask, max_new_tokens=NEW, do_sample=False)
        assert out.shape[1] == PROMPT + NEW  # noqa: S101

    return generate


if __name__ == "__main__":
    print(json.dumps([found.record() for found in measure()], indent=2))
