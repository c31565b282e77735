"""What is known before anything is asked."""

import json
from typing import Any

import pytest

from proctor_crds.wire import HarnessParams, RunSpec
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.messages import Origin, Request, Response
from proctor_harness.adapter.probe import AGENT, Probed, Wanted, probe
from proctor_harness.adapter.target_page import TargetSeen, names
from proctor_harness.capabilities import findings, wanted
from proctor_harness.harnesses.protocol import PreflightReport

RUN = RunSpec(harness="lm-eval", tasks=["t"], model="m", context_length=100)

MANY = tuple(f"x{n}" for n in range(12))


@pytest.mark.parametrize(
    "seen",
    [
        None,
        TargetSeen(status=200, models=("x", "m")),
        TargetSeen(status=200),
        TargetSeen(status=200, models=("x",)),
        TargetSeen(status=404, models=("x",)),
        TargetSeen(status=502),
        TargetSeen(status=401),
        TargetSeen(status=403, keyed=True),
    ],
    ids=[
        "silent",
        "served",
        "says nothing",
        "an alias",
        "no such page",
        "away",
        "an interceptor's key",
        "list",
    ],
)
def test_what_does_not_fail_for_certain_is_no_finding(seen: TargetSeen | None) -> None:
    assert findings(RUN, seen) == []


@pytest.mark.parametrize(
    ("probed", "words"),
    [
        (Probed(status=404, words="Not Found"), "x0, x1, x2"),
        (Probed(status=400, words="no model m"), "x9, ..."),
        (Probed(status=422, words='{"code": "model_not_found"}'), "serves no model 'm'"),
        (Probed(status=200), None),
        (Probed(status=502), None),
        (Probed(status=400, words="max_tokens is too old"), None),
        (Probed(status=400, words="bad request. Received Model Group=m"), None),
        (None, None),
    ],
)
def test_a_model_that_is_not_listed_is_asked(probed: Probed | None, words: str | None) -> None:
    seen = TargetSeen(status=200, models=MANY)
    asked = wanted(RUN, seen, PreflightReport())
    assert asked == Wanted(model="m", endpoint_type="completions")
    found = findings(RUN, seen, asked, probed)
    assert len(found) == (words is not None)
    assert all(words in each for each in found if words)


def test_a_refused_key_is_told() -> None:
    (found,) = findings(RUN, TargetSeen(status=401, keyed=True))
    assert "refuses the key (HTTP 401)" in found


CHAT = RUN.model_copy(update={"endpoint_type": "chat"})
LISTED = TargetSeen(status=200, models=("m",))
CAPABLE = {
    "log-probabilities": (RUN, PreflightReport(logprobs=True), Probed(status=200, logprobs=True)),
    "chat": (CHAT, PreflightReport(), Probed(status=200)),
    "tools": (CHAT, PreflightReport(tools=True), Probed(status=200)),
    "away": (
        CHAT,
        PreflightReport(tools=True),
        Probed(status=503, words="no tools, no chat template"),
    ),
    "another refusal": (CHAT, PreflightReport(tools=True), Probed(status=400, words="max_tokens?")),
    "a server that wants more than a token": (
        CHAT,
        PreflightReport(tools=True),
        Probed(status=400, words="max_output_tokens must be at least 16 with tools"),
    ),
    "a model called after tools": (
        CHAT.model_copy(update={"model": "watt-tool-8B"}),
        PreflightReport(tools=True),
        Probed(status=400, words="watt-tool-8B does not want to"),
    ),
    "an interceptor that changes what is asked": (
        CHAT,
        PreflightReport(tools=True),
        Probed(status=0),
    ),
}
LACKING = {
    "no log-probabilities": (RUN, PreflightReport(logprobs=True), Probed(status=200)),
    "no echo": (
        RUN,
        PreflightReport(logprobs=True),
        Probed(status=400, words="Setting 'echo' and 'logprobs' at the same time is not supported"),
    ),
    "no chat template": (
        CHAT,
        PreflightReport(),
        Probed(status=400, words="the model's tokenizer has no chat template"),
    ),
    "no tools": (
        CHAT,
        PreflightReport(tools=True),
        Probed(status=400, words='"auto" tool choice requires --enable-auto-tool-choice'),
    ),
}
REMEDIES = {
    "no log-probabilities": "choose tasks that generate",
    "no echo": "'echo' and 'logprobs' at the same time",
    "no chat template": "set model.chatTemplate",
    "no tools": "params.extra.nativeCalling",
}


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "apiKeySecretRef"), (403, "apiKeySecretRef"), (404, "has no /v1/chat/completions")],
)
def test_who_is_let_in_nowhere_is_told_where_to_look(status: int, words: str) -> None:
    asked = wanted(CHAT, LISTED, PreflightReport())
    (found,) = findings(CHAT, LISTED, asked, Probed(status=status, words="no entry"))
    assert words in found
    assert f"(HTTP {status}: no entry)" in found


@pytest.mark.parametrize(("run", "report", "probed"), CAPABLE.values(), ids=CAPABLE)
def test_what_is_not_said_for_certain_is_no_finding(
    run: RunSpec, report: PreflightReport, probed: Probed
) -> None:
    asked = wanted(run, LISTED, report)
    assert asked
    assert findings(run, LISTED, asked, probed) == []


@pytest.mark.parametrize("case", LACKING)
def test_what_the_target_cannot_do_is_told_with_its_words(case: str) -> None:
    run, report, probed = LACKING[case]
    (found,) = findings(run, LISTED, wanted(run, LISTED, report), probed)
    assert REMEDIES[case] in found
    assert probed.words in found


@pytest.mark.parametrize(
    ("run", "report"),
    [
        (RUN, PreflightReport()),
        (CHAT.model_copy(update={"shards": 2, "shard": 1}), PreflightReport()),
    ],
    ids=["generates", "another shard asks"],
)
def test_where_a_question_shows_nothing_none_is_asked(
    run: RunSpec, report: PreflightReport
) -> None:
    assert wanted(run, LISTED, report) is None


async def test_the_question_is_of_one_token_and_by_its_agent_known() -> None:
    asked: list[Request] = []

    async def upstream(request: Request) -> Response:
        asked.append(request)
        choice = {"logprobs": {"token_logprobs": [None, -1.0, -2.0]}}
        return Response(200, (), Content.of({"choices": [choice]}), Origin.TARGET)

    for endpoint, more in (("completions", {"logprobs": True}), ("chat", {"tools": True})):
        spec = Wanted.model_validate({"model": "m", "endpointType": endpoint, **more})
        assert (await probe(upstream, spec)).logprobs
    scored, called = (request.body.json for request in asked)
    assert (scored["max_tokens"], scored["echo"], scored["logprobs"]) == (1, True, 1)
    assert (called["max_tokens"], len(called["tools"])) == (1, 1)
    assert all((b"user-agent", AGENT.encode()) in request.headers for request in asked)


@pytest.mark.parametrize(("tokens", "count"), [(99, 0), (100, 1), (None, 0)])
def test_an_answer_that_fills_the_context_leaves_no_prompt(tokens: int | None, count: int) -> None:
    run = RUN.model_copy(update={"params": HarnessParams(max_new_tokens=tokens)})
    assert len(findings(run, None)) == count


@pytest.mark.parametrize(
    ("more", "known"), [({}, ["a"]), ({"has_more": False}, ["a"]), ({"has_more": True}, [])]
)
def test_of_a_list_with_further_pages_nothing_is_known(more: Any, known: list[str]) -> None:
    assert names(json.dumps({"data": [{"id": "a"}], **more}).encode()) == known
