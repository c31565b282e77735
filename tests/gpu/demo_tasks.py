"""The demonstration's tasks, asked of an engine directly and scored as lm-eval scores them."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from demo import ARITHMETIC
from demo.tokenizer import END_OF_TEXT, build_tokenizer
from proctor_runtime.engine.protocol import Completion, GenerateRequest

TOKENIZER = build_tokenizer()
NEWLINE = TOKENIZER.encode("\n").ids[0]
END = TOKENIZER.token_to_id(END_OF_TEXT)
ALTERNATIVES = 2
"""The likeliest token and the next: what is between them says how far from a tie a choice was."""


def documents(task: str) -> list[dict[str, Any]]:
    """The task's documents."""
    lines = (ARITHMETIC / f"tasks/{task}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


CHOICES, QUESTIONS, TEXTS = map(documents, ("arithmetic_mc", "arithmetic_gen", "arithmetic_ppl"))


def scoring(*tokens: int) -> GenerateRequest:
    """Ask for the log-probability of each token."""
    return GenerateRequest(
        prompt=tokens, max_new_tokens=0, prompt_logprobs=True, top_logprobs=ALTERNATIVES
    )


def encoded(text: str) -> list[int]:
    """The text's tokens."""
    return list(TOKENIZER.encode(text).ids)


def requests() -> list[list[GenerateRequest]]:
    """One batch for each task; a batch is all scoring or all generation."""
    chosen = [scoring(*encoded(d["question"] + c)) for d in CHOICES for c in d["choices"]]
    generated = [
        GenerateRequest(
            prompt=tuple(encoded(document["question"])),
            max_new_tokens=8,
            stop_ids=(NEWLINE, END),
            top_logprobs=ALTERNATIVES,
        )
        for document in QUESTIONS
    ]
    return [chosen, generated, [scoring(END, *encoded(document["text"])) for document in TEXTS]]


def scores(answers: Sequence[Sequence[Completion]]) -> dict[str, float]:
    """The tasks' scores, under lm-eval's own names."""
    chosen, generated, rolled = answers
    return {
        "arithmetic_mc acc,none": accuracy(iter(chosen)),
        "arithmetic_gen exact_match,none": exact_match(generated),
        "arithmetic_ppl bits_per_byte,none": bits_per_byte(rolled),
    }


def accuracy(completions: Iterator[Completion]) -> float:
    """Share of documents whose right choice is the likeliest."""
    right = 0
    for document in CHOICES:
        sums = [likelihood(next(completions), choice) for choice in document["choices"]]
        right += sums.index(max(sums)) == document["answer"]
    return right / len(CHOICES)


def likelihood(completion: Completion, continuation: str) -> float:
    """Log-probability of the end of what was scored."""
    end = list(completion.prompt)[-len(encoded(continuation)) :]
    return sum(scored.logprob or 0.0 for scored in end)


def exact_match(completions: Sequence[Completion]) -> float:
    """Share of documents whose answer was generated up to the line's end."""
    texts = [
        TOKENIZER.decode([s.token for s in completion.tokens if s.token not in (NEWLINE, END)])
        for completion in completions
    ]
    pairs = zip(texts, QUESTIONS, strict=True)
    return sum(text == document["answer"] for text, document in pairs) / len(QUESTIONS)


def bits_per_byte(completions: Sequence[Completion]) -> float:
    """Of all texts together."""
    total = sum(scored.logprob or 0.0 for completion in completions for scored in completion.prompt)
    return -total / sum(len(document["text"].encode()) for document in TEXTS) / math.log(2)
