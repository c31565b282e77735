"""Multiple choice: our engine against in-process lm-eval `hf`, on the same weights.

Five examples before each question, and four choices. As in MMLU the examples are the same for all
questions and a choice is a letter, for which `hf` needs one pass a question; as in ARC and most
others they are drawn anew for each question, and a choice is a text. In process on both sides, in
processes of their own, at the best batch size: for `hf` it is searched, ours takes all that comes.
"""

import json
import statistics
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from transformers import AutoTokenizer

from bench.engine import running_engine
from bench.in_process_hf import HuggingFace, Pair
from bench.measurement import Measurement
from bench.serving_model import words, write_twins
from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.protocol import Completion, GenerateRequest

QUESTIONS = 32
EXAMPLES = 5
QUESTION_WORDS = 60
RUNS = 5
TOLERANCE = 1e-3
"""Of a choice's log-likelihood, between two ways to add the same numbers up."""


@dataclass(frozen=True)
class Task:
    """A kind of multiple choice."""

    name: str
    choice_words: int
    are_examples_drawn: bool

    def pairs(self, known: Sequence[str], seed: int) -> list[Pair]:
        """Invent questions out of known words: four pairs of context and choice each."""
        random = Random(seed)  # noqa: S311 - prompts, not secrets

        def text(count: int) -> str:
            return "".join(random.choices(known, k=count))

        def example() -> str:
            return text(QUESTION_WORDS + self.choice_words)

        examples = [example() for _ in range(QUESTIONS if self.are_examples_drawn else EXAMPLES)]
        pairs = []
        for _ in range(QUESTIONS):
            context = "".join(
                random.sample(examples, EXAMPLES) if self.are_examples_drawn else examples
            )
            context += text(QUESTION_WORDS)
            pairs += [(context, text(self.choice_words)) for _ in range(4)]
        return pairs


TASKS = (
    Task("scoring_mc_5shot_vs_hf", choice_words=1, are_examples_drawn=False),
    Task("scoring_mc_5shot_drawn_vs_hf", choice_words=5, are_examples_drawn=True),
)


def measure() -> list[Measurement]:
    """The median of `RUNS` ratios of requests per second, of each task."""
    with warnings.catch_warnings(), TemporaryDirectory() as directory:
        warnings.simplefilter("ignore")
        folder = Path(directory)
        write_twins(folder)
        with (
            HuggingFace.of(folder / "hugging-face") as theirs,
            running_engine(folder / "checkpoint", max_batch_size=4 * QUESTIONS) as batcher,
        ):
            return [compare(task, theirs, batcher, folder / "tokenizer") for task in TASKS]


def compare(task: Task, theirs: HuggingFace, batcher: Batcher, folder: Path) -> Measurement:
    """Measure one task."""
    known, tokenizer = words(folder), AutoTokenizer.from_pretrained(folder)
    asked = [task.pairs(known, run) for run in range(RUNS + 1)]
    theirs.tune(asked[0])
    ratios = [ratio(task, batcher, theirs, tokenizer, pairs) for pairs in asked]
    return Measurement(task.name, statistics.median(ratios[1:]), "×", 4.0, "higher")


def ratio(
    task: Task, batcher: Batcher, theirs: HuggingFace, tokenizer: Any, pairs: Sequence[Pair]
) -> float:
    """Return how many times as fast we are; both must come to the same."""
    their_seconds, expected = theirs.loglikelihoods(pairs)
    begin = time.perf_counter()
    completions = score(batcher, tokenizer, pairs)
    seconds = time.perf_counter() - begin
    for value, completion in zip(expected, completions, strict=True):
        ours = sum(one or 0.0 for one in completion.prompt.logprobs[-task.choice_words :])
        if abs(value - ours) > TOLERANCE:
            raise AssertionError(f"log-likelihoods differ: {value} and {ours}")
    return their_seconds / seconds


def score(batcher: Batcher, tokenizer: Any, pairs: Sequence[Pair]) -> list[Completion]:
    """Score each choice after its question, as the API would ask for it."""
    texts = [context + continuation for context, continuation in pairs]
    futures = []
    for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]:
        request = GenerateRequest(
            prompt=tuple(ids), max_new_tokens=1, prompt_logprobs=True, top_logprobs=1
        )
        futures.append(batcher.submit(request))
    return [future.result() for future in futures]


if __name__ == "__main__":
    print(json.dumps([found.record() for found in measure()], indent=2))
