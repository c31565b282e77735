"""Asking a share of lm-eval's questions."""

from dataclasses import dataclass
from typing import Any

from proctor_harness.harnesses.lm_eval_preflight import Asked
from proctor_harness.harnesses.lm_eval_share import sharing


@dataclass
class Request:
    doc_id: int
    text: str


REQUESTS = [Request(doc, f"{doc}{choice}") for doc in range(7) for choice in "ab"]


def test_the_shares_are_the_whole_and_each_answer_is_where_it_belongs() -> None:
    asked: list[str] = []

    def ask(_model: Any, requests: list[Request], disable_tqdm: bool = False) -> list[str]:
        asked.extend(request.text for request in requests)
        return [request.text.upper() for request in requests]

    answers = [sharing(ask, "", shard, 3)(None, REQUESTS, disable_tqdm=True) for shard in range(3)]
    assert sorted(asked) == sorted(request.text for request in REQUESTS)
    found = ["".join(each) for each in zip(*answers, strict=True)]
    assert found == [request.text.upper() for request in REQUESTS]


def test_a_shard_without_samples_asks_nothing() -> None:
    def ask(*_: Any) -> list[str]:
        raise AssertionError

    assert sharing(ask, 0.0, 8, 9)(None, REQUESTS) == [0.0] * len(REQUESTS)


def test_the_count_is_of_the_same_samples() -> None:
    assert list(Asked(limit=6, shard=1, shards=4).of(range(100))) == [1, 5]
    assert list(Asked().of(range(3))) == [0, 1, 2]
