import asyncio
import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from proctor_harness.adapter import chain
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.load import load
from proctor_harness.adapter.messages import Endpoint, Origin, Request, Response, compose
from proctor_harness.adapter.site import Site
from tests.unit.harness.adapter.asking import (
    JSON_HEADERS,
    SSE_HEADERS,
    Target,
    ask,
    make,
    question,
    reply,
    site,
    streamed,
)

LOG = "cache/answers.jsonl"


def text(response: Response) -> str:
    assert isinstance(response.body, Content)
    return response.body.raw.decode()


async def asked(
    where: Site,
    target: Target,
    *questions: dict[str, Any],
    path: str = "/v1/completions",
    **config: Any,
) -> list[Response]:
    """One start of the adapter, to its orderly end."""
    cache = make("caching", where, **{"reuse_cached_responses": True} | config)
    found = [await ask(cache, question(one, path), target) for one in questions]
    await where.disk.flush()
    return found


def numbered(count: int = 10) -> Target:
    return Target([{"choices": [{"text": str(n)}]} for n in range(count)])


async def test_a_stored_answer_is_given_again_after_a_restart(tmp_path: Path) -> None:
    target = numbered()
    [first] = await asked(site(tmp_path, session="1"), target, {"prompt": "a"})
    [second] = await asked(site(tmp_path, session="2"), target, {"prompt": "a"})
    assert text(first) == text(second)
    assert (first.origin, second.origin) == (Origin.TARGET, Origin.CACHE)
    assert len(target.requests) == 1


@pytest.mark.parametrize("asking", [{"prompt": "a"}, {"prompt": "a", "seed": 7}])
async def test_the_same_question_is_another_sample(asking: dict[str, Any], tmp_path: Path) -> None:
    """pass@k: k samples are k answers, and a resumed run gets back the same k."""
    target, ask_thrice = numbered(), [asking] * 3
    first = await asked(site(tmp_path, session="1"), target, *ask_thrice)
    assert [json.loads(text(r))["choices"][0]["text"] for r in first] == ["0", "1", "2"]
    again = await asked(site(tmp_path, session="2"), target, *ask_thrice, asking)
    assert list(map(text, again[:3])) == list(map(text, first))
    assert again[3].origin is Origin.TARGET
    assert len(target.requests) == 4


async def test_what_samples_get_does_not_depend_on_when_they_ask(tmp_path: Path) -> None:
    """A seed is no promise: many servers answer otherwise for each batch, and some not by it."""
    numbers = count()

    async def counting(_: Request) -> Response:
        number = next(numbers)
        await asyncio.sleep(0.001 * (number % 5))
        return Response(200, JSON_HEADERS, Content(json.dumps(reply(str(number))).encode()))

    async def evaluated(session: str) -> list[str]:
        where, places = site(tmp_path, session=session), asyncio.Semaphore(8)
        cache = make("caching", where, reuse_cached_responses=True)

        async def one() -> str:
            async with places:
                return text(await cache(question({"prompt": "a", "seed": 7}), counting))

        found = await asyncio.gather(*(one() for _ in range(64)))
        await where.disk.flush()
        return sorted(found)

    fresh = await evaluated("1")
    assert len(set(fresh)) == 64
    assert await evaluated("2") == fresh
    assert next(numbers) == 64


async def test_an_adapter_that_restarts_beside_its_harness_repeats_no_sample(
    tmp_path: Path,
) -> None:
    target = numbered()
    [first] = await asked(site(tmp_path, session="pod"), target, {"prompt": "a"})
    [second] = await asked(site(tmp_path, session="pod"), target, {"prompt": "a"})
    assert text(first) != text(second)


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "b"},
        {"prompt": "a", "seed": 1},
        {"prompt": "a", "stop": ["\n"]},
        {"prompt": "a", "logprobs": 1},
        {"prompt": "a", "n": 2},
        {"prompt": "a", "anything": None},
        {"prompt": ["a"]},
    ],
)
async def test_another_question_is_another_item(tmp_path: Path, other: dict[str, Any]) -> None:
    target = numbered()
    await asked(site(tmp_path, session="1"), target, {"prompt": "a"})
    await asked(site(tmp_path, session="2"), target, other)
    assert len(target.requests) == 2


async def test_the_order_of_fields_is_no_difference(tmp_path: Path) -> None:
    target = numbered()
    await asked(site(tmp_path, session="1"), target, {"prompt": "a", "seed": 1})
    await asked(site(tmp_path, session="2"), target, {"seed": 1, "prompt": "a"})
    assert len(target.requests) == 1


@pytest.mark.parametrize(
    "changes",
    [{"identity": "model-2"}, {"unseen": [["payload_modifier", {"x": "y"}]]}],
)
async def test_another_model_or_configuration_is_another_item(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    target, asking = numbered(), {"prompt": "a"}
    await asked(site(tmp_path, session="1"), target, asking)
    await asked(site(tmp_path, session="2", **changes), target, asking)
    assert len(target.requests) == 2


async def test_a_log_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    await asked(site(tmp_path), numbered(), {"prompt": "a", "seed": 1})
    line = json.loads((tmp_path / LOG).read_text().splitlines()[0])
    assert line["key"] == "71235881589807025ce1fa06f65d624a"


async def test_another_path_is_another_item(tmp_path: Path) -> None:
    target, asking = numbered(), {"prompt": "a"}
    await asked(site(tmp_path, session="1"), target, asking)
    await asked(site(tmp_path, session="2"), target, asking, path="/v1/chat/completions")
    assert len(target.requests) == 2


@pytest.mark.parametrize(
    "failure",
    [
        500,
        429,
        Response(200, JSON_HEADERS, Content(b'{"error": {"message": "overloaded"}}')),
        Response(200, SSE_HEADERS, Content(b'data: {"error": "overloaded"}\n\n')),
    ],
)
async def test_a_failure_is_not_stored_and_its_retry_is_the_same_item(
    tmp_path: Path, failure: Any
) -> None:
    target = Target([failure, reply("a"), reply("b")])
    first = await asked(site(tmp_path, session="1"), target, *[{"prompt": "a"}] * 3)
    again = await asked(site(tmp_path, session="2"), target, *[{"prompt": "a"}] * 2)
    assert list(map(text, again)) == list(map(text, first[1:]))
    assert len(target.requests) == 3


async def test_an_exception_gives_its_turn_back(tmp_path: Path) -> None:
    where, target = site(tmp_path), Target([OSError("x"), reply("a")])
    cache = make("caching", where, reuse_cached_responses=True)
    with pytest.raises(OSError, match="x"):
        await ask(cache, question(), target)
    await ask(cache, question(), target)
    await where.disk.flush()
    [line] = (tmp_path / LOG).read_text().splitlines()
    assert json.loads(line)["turn"] == 0


async def test_a_stream_is_stored_when_it_has_ended(tmp_path: Path) -> None:
    event = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'
    where, target = (
        site(tmp_path, session="1"),
        Target([await streamed(event, b"data: [DONE]\n\n")]),
    )
    cache = make("caching", where, reuse_cached_responses=True)
    passed = await cache(question({"stream": True}), target)
    assert not isinstance(passed.body, Content)
    assert [piece async for piece in passed.body] == [event, b"data: [DONE]\n\n"]
    await where.disk.flush()
    [again] = await asked(
        site(tmp_path, session="2"), target, {"stream": True}, path="/v1/chat/completions"
    )
    assert text(again).encode() == event + b"data: [DONE]\n\n"
    assert again.headers == SSE_HEADERS


LAST_PIECES = {"at once": [b"data: [DONE]\n\n"], "in pieces": [b"data: [DO", b"NE]", b"\n\n"]}


@pytest.mark.parametrize("last", LAST_PIECES.values(), ids=LAST_PIECES)
@pytest.mark.parametrize("stored", [True, False], ids=["an answer", "no answer"])
async def test_a_stream_that_is_left_at_its_last_event_is_stored_if_it_is_an_answer(
    tmp_path: Path, last: list[bytes], stored: bool
) -> None:
    event = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n' if stored else b": ping\n\n"
    where = site(tmp_path, session="1")
    cache = make("caching", where, reuse_cached_responses=True)
    passed = await cache(question(), Target([await streamed(event, *last, b"more")]))
    assert not isinstance(passed.body, Content)
    assert [await anext(passed.body) for _ in (event, *last)] == [event, *last]
    await passed.body.aclose()
    await where.disk.flush()
    lines = [json.loads(line)["body"] for line in (tmp_path / LOG).read_text().splitlines()]
    assert lines == ([b"".join((event, *last)).decode()] if stored else [])


@pytest.mark.parametrize("broken", [True, False], ids=["broken", "left"])
async def test_a_stream_that_did_not_end_is_not_stored(tmp_path: Path, broken: bool) -> None:
    where, target = site(tmp_path), Target([await streamed(b"data: 1", broken=broken), reply()])
    cache = make("caching", where, reuse_cached_responses=True)
    passed = await cache(question(), target)
    assert not isinstance(passed.body, Content)
    assert await anext(passed.body) == b"data: 1"
    await passed.body.aclose()
    assert (await ask(cache, question(), target)).origin is Origin.TARGET
    await where.disk.flush()
    [line] = (tmp_path / LOG).read_text().splitlines()
    assert json.loads(line)["turn"] == 0


async def test_bookkeeping_is_not_stored(tmp_path: Path) -> None:
    where, target = site(tmp_path), Target()
    cache = make("caching", where, reuse_cached_responses=True)
    for request in (question({}, "/tokenize"), question(None, "/v1/models", "GET")):
        await ask(cache, request, target)
        await ask(cache, request, target)
    assert len(target.requests) == 4


async def test_without_reuse_answers_are_stored_and_not_given(tmp_path: Path) -> None:
    target, asking = numbered(), {"prompt": "a"}
    config = {"reuse_cached_responses": False, "max_saved_responses": 2}
    await asked(site(tmp_path), target, *[asking] * 3, **config)
    assert len(target.requests) == 3
    assert len((tmp_path / LOG).read_text().splitlines()) == 2


async def test_bypassed_it_does_nothing(tmp_path: Path) -> None:
    target, asking = numbered(), {"prompt": "a"}
    await asked(site(tmp_path), target, asking, asking, bypass=True)
    assert len(target.requests) == 2
    assert (tmp_path / LOG).read_text() == ""


async def test_questions_are_stored_as_long_as_they_may(tmp_path: Path) -> None:
    config = {"save_requests": True, "max_saved_requests": 1}
    await asked(site(tmp_path), numbered(), {"prompt": "a"}, {"prompt": "b"}, **config)
    first, second = map(json.loads, (tmp_path / LOG).read_text().splitlines())
    assert json.loads(first["request"]) == {"prompt": "a"}
    assert "request" not in second


async def test_what_is_stored_is_what_the_target_said(tmp_path: Path) -> None:
    """And so a changed interceptor works on stored answers as on new ones."""

    def built(where: Site, *interceptors: str) -> Endpoint:
        cache = {"name": "caching", "config": {"reuse_cached_responses": True}}
        config = load({"interceptors": [cache, "endpoint", *interceptors]})
        return compose(chain.build(config, chain.links(config), where), target)

    target = Target([reply("<think>hm</think>4")])
    where = site(tmp_path, session="1")
    assert '"4"' in text(await built(where, "reasoning")(question()))
    await where.disk.flush()
    raw = text(await built(site(tmp_path, session="2"))(question()))
    assert "<think>hm</think>4" in raw
    assert '"4"' in text(await built(site(tmp_path, session="3"), "reasoning")(question()))
    assert len(target.requests) == 1


async def test_a_path_outside_the_artifacts_is_taken_inside(tmp_path: Path) -> None:
    await asked(site(tmp_path), numbered(), {"prompt": "a"}, cache_dir="/results/../cache")
    assert (tmp_path / "results" / "cache" / "answers.jsonl").exists()
