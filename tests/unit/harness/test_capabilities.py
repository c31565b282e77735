"""What is known before anything is asked."""

import json
from typing import Any

import pytest

from proctor_crds.wire import HarnessParams, RunSpec
from proctor_harness.adapter.target_page import TargetSeen, names
from proctor_harness.capabilities import findings

RUN = RunSpec(harness="lm-eval", tasks=["t"], model="m", context_length=100)

MANY = tuple(f"x{n}" for n in range(12))


@pytest.mark.parametrize(
    "seen",
    [
        None,
        TargetSeen(status=200, models=("x", "m")),
        TargetSeen(status=200),
        TargetSeen(status=404, models=("x",)),
        TargetSeen(status=502),
        TargetSeen(status=401),
        TargetSeen(status=403, keyed=True),
    ],
    ids=[
        "silent",
        "served",
        "says nothing",
        "no such page",
        "away",
        "an interceptor's key",
        "list",
    ],
)
def test_what_does_not_fail_for_certain_is_no_finding(seen: TargetSeen | None) -> None:
    assert findings(RUN, seen) == []


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (TargetSeen(status=401, keyed=True), "refuses the key (HTTP 401)"),
        (TargetSeen(status=200, models=MANY), "x0, x1, x2"),
        (TargetSeen(status=200, models=MANY), "x9, ..."),
    ],
    ids=["key", "model", "many models"],
)
def test_what_the_target_refuses(seen: TargetSeen, words: str) -> None:
    (found,) = findings(RUN, seen)
    assert words in found


@pytest.mark.parametrize(("tokens", "count"), [(99, 0), (100, 1), (None, 0)])
def test_an_answer_that_fills_the_context_leaves_no_prompt(tokens: int | None, count: int) -> None:
    run = RUN.model_copy(update={"params": HarnessParams(max_new_tokens=tokens)})
    assert len(findings(run, None)) == count


@pytest.mark.parametrize(
    ("more", "known"), [({}, ["a"]), ({"has_more": False}, ["a"]), ({"has_more": True}, [])]
)
def test_of_a_list_with_further_pages_nothing_is_known(more: Any, known: list[str]) -> None:
    assert names(json.dumps({"data": [{"id": "a"}], **more}).encode()) == known
