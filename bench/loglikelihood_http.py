"""Log-likelihoods over HTTP, by stock lm-eval's client, against in-process lm-eval `hf`.

One continuation for each context, and contexts that share nothing: no prefix is computed once for
several. Server and client share the machine, as the baseline has it to itself.
"""

import json
import statistics
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from lm_eval.models.openai_completions import LocalCompletionsAPI

from bench.in_process_hf import HuggingFace, Pair, instances
from bench.measurement import Measurement
from bench.serving_model import LONGEST, words, write_twins
from tests.runtime.server_process import serving

REQUESTS = 256
CONTEXT_WORDS = 120
CONTINUATION_WORDS = 8
RUNS = 5
BATCH = 16
CONCURRENT = 4
TOLERANCE = 1e-3


def measure() -> list[Measurement]:
    """The median of `RUNS` ratios of requests per second."""
    with warnings.catch_warnings(), TemporaryDirectory() as directory:
        warnings.simplefilter("ignore")
        folder = Path(directory)
        write_twins(folder)
        known = words(folder / "tokenizer")
        asked = [pairs(known, run) for run in range(RUNS + 1)]
        options = ("--transport=in-process", f"--max-sequence-length={LONGEST}")
        with (
            HuggingFace.of(folder / "hugging-face") as theirs,
            serving(folder / "checkpoint", folder / "tokenizer", folder, *options) as server,
        ):
            theirs.tune(asked[0])
            client = local_completions(server.url, folder / "tokenizer")
            ratios = [ratio(client, theirs, requests) for requests in asked]
    value = statistics.median(ratios[1:])  # the first warms both up
    return [Measurement("loglikelihood_http_vs_hf", value, "×", 1.0, "higher")]


def pairs(known: Sequence[str], seed: int) -> list[Pair]:
    """Invent contexts and continuations out of known words."""
    random = Random(seed)  # noqa: S311 - prompts, not secrets

    def text(count: int) -> str:
        return "".join(random.choices(known, k=count))

    return [(text(CONTEXT_WORDS), text(CONTINUATION_WORDS)) for _ in range(REQUESTS)]


def local_completions(url: str, tokenizer: Path) -> Any:
    """Return stock lm-eval's client of our server."""
    return LocalCompletionsAPI(
        model="tiny",
        base_url=f"{url}/v1/completions",
        tokenizer=str(tokenizer),
        tokenizer_backend="huggingface",
        batch_size=BATCH,
        num_concurrent=CONCURRENT,
        max_length=LONGEST,
    )


def ratio(client: Any, theirs: HuggingFace, requests: Sequence[Pair]) -> float:
    """Return how many times as fast we are; both must come to the same."""
    their_seconds, expected = theirs.loglikelihoods(requests)
    asked = instances(requests)
    begin = time.perf_counter()
    found = client.loglikelihood(asked, disable_tqdm=True)
    seconds = time.perf_counter() - begin
    for one, (other, _) in zip(expected, found, strict=True):
        if abs(one - other) > TOLERANCE:
            raise AssertionError(f"log-likelihoods differ: {one} and {other}")
    return their_seconds / seconds


if __name__ == "__main__":
    print(json.dumps([found.record() for found in measure()], indent=2))
