"""Multiple choice: our engine against in-process lm-eval `hf`, on the same weights.

Questions with four choices of five tokens, behind five examples that are drawn anew for each
question, as lm-eval does by default: a question's choices share everything before them, and
questions share nothing. In process on both sides; `hf` at its best batch size.
"""

import json
import statistics
import time
import warnings
from collections.abc import Sequence
from random import Random
from typing import Any

from bench.measurement import Measurement
from bench.serving_model import SPECIAL, VOCABULARY, ModelFolders, model_folders, word
from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.protocol import Completion, GenerateRequest

QUESTIONS = 16
EXAMPLE_WORDS = 60
QUESTION_WORDS = 55
CHOICE_WORDS = 5
BATCH_SIZES = (1, 8, 16, 32)
RUNS = 5
TOLERANCE = 1e-3
"""Of a choice's log-likelihood, between two ways to add the same numbers up."""

Pair = tuple[str, str]


def measure() -> list[Measurement]:
    """The median of `RUNS` ratios of requests per second."""
    from bench.engine import running_engine  # noqa: PLC0415 - imports torch

    with warnings.catch_warnings(), model_folders() as folders:
        warnings.simplefilter("ignore")
        theirs = best_hf(folders, questions(0))
        with running_engine(folders.megatron) as batcher:
            ratios = [compare(batcher, theirs, questions(run)) for run in range(RUNS + 1)]
    ratio = statistics.median(ratios[1:])  # the first warms both up
    return [Measurement("scoring_mc_5shot_vs_hf", ratio, "×", 4.0, "higher")]


def compare(batcher: Batcher, theirs: Any, pairs: Sequence[Pair]) -> float:
    """Return how many times as fast we are; both must come to the same."""
    begin = time.perf_counter()
    expected = theirs.loglikelihood(instances(pairs), disable_tqdm=True)
    between = time.perf_counter()
    found = score(batcher, theirs.tokenizer, pairs)
    end = time.perf_counter()
    for (value, _), ours in zip(expected, found, strict=True):
        if abs(value - ours) > TOLERANCE:
            raise AssertionError(f"log-likelihoods differ: {value} and {ours}")
    return (between - begin) / (end - between)


def score(batcher: Batcher, tokenizer: Any, pairs: Sequence[Pair]) -> list[float]:
    """Score each continuation after its context, as the API would ask for it."""
    futures = []
    for context, continuation in pairs:
        ids = tuple(tokenizer.encode(context + continuation, add_special_tokens=False))
        request = GenerateRequest(
            prompt=ids, max_new_tokens=1, prompt_logprobs=True, top_logprobs=1
        )
        futures.append(batcher.submit(request))
    return [log_likelihood(future.result()) for future in futures]


def log_likelihood(completion: Completion) -> float:
    """Add up what the choice's tokens got."""
    return sum(value or 0.0 for value in completion.prompt.logprobs[-CHOICE_WORDS:])


def questions(seed: int) -> list[Pair]:
    """Invent questions, four pairs of context and choice each."""
    random = Random(seed)  # noqa: S311 - prompts, not secrets

    def text(words: int) -> str:
        return " ".join(word(random.randrange(VOCABULARY - len(SPECIAL))) for _ in range(words))

    pairs = []
    for _ in range(QUESTIONS):
        context = text(5 * (EXAMPLE_WORDS + CHOICE_WORDS) + QUESTION_WORDS)
        pairs += [(context, " " + text(CHOICE_WORDS)) for _ in range(4)]
    return pairs


def instances(pairs: Sequence[Pair]) -> list[Any]:
    """Return the pairs as lm-eval's requests."""
    from lm_eval.api.instance import Instance  # noqa: PLC0415 - it takes seconds to import

    return [Instance("loglikelihood", {}, pair, at) for at, pair in enumerate(pairs)]


def best_hf(folders: ModelFolders, pairs: Sequence[Pair]) -> Any:
    """Return lm-eval's `hf` with the batch size at which it is fastest."""
    from lm_eval.models.huggingface import HFLM  # noqa: PLC0415 - it takes seconds to import

    lm: Any = HFLM(
        pretrained=str(folders.hugging_face), device="cpu", dtype="float32", batch_size=1
    )

    def seconds(size: int) -> float:
        lm.batch_size_per_gpu = size
        begin = time.perf_counter()
        lm.loglikelihood(instances(pairs), disable_tqdm=True)
        return time.perf_counter() - begin

    seconds(BATCH_SIZES[0])  # warm up
    lm.batch_size_per_gpu = min(BATCH_SIZES, key=seconds)
    return lm


if __name__ == "__main__":
    print(json.dumps([found.record() for found in measure()], indent=2))
