"""Interceptors that change what the model answered."""

import json
from pathlib import Path
from typing import Any

import pytest

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.errors import RefusedError, UnreadableError
from proctor_harness.adapter.messages import Response
from tests.unit.harness.adapter.asking import (
    JSON_HEADERS,
    Target,
    ask,
    body,
    make,
    question,
    reply,
    site,
    streamed,
)


async def got(name: str, root: Path, answer: Any, asked: Any = None, **config: Any) -> Any:
    interceptor = make(name, site(root), **config)
    return body(await ask(interceptor, question(asked), Target([answer])))


def message(answer: Any) -> Any:
    return answer["choices"][0]["message"]


@pytest.mark.parametrize(
    ("content", "config", "expected"),
    [
        ("<think>hm</think>\n\n4\n", {}, "4"),
        ("hm</think>4", {}, "4"),
        ("a</think>b</think>4", {}, "4"),
        ("<think>hm", {}, "<think>hm"),
        ("<think>hm", {"include_if_not_finished": False}, ""),
        ("4", {}, "4"),
        ("[r]hm[/r]4", {"start_reasoning_token": "[r]", "end_reasoning_token": "[/r]"}, "4"),
        ("<think>hm</think>4", {"add_reasoning": False}, "<think>hm</think>4"),
    ],
)
async def test_reasoning_is_taken_out(
    content: str, config: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    answer = await got("reasoning", tmp_path, reply(content), **config)
    assert message(answer)["content"] == expected


async def test_reasoning_may_be_kept_apart(tmp_path: Path) -> None:
    answer = await got(
        "reasoning", tmp_path, reply("<think> hm </think>4"), keep_as_reasoning_content=True
    )
    assert message(answer) == {"role": "assistant", "content": "4", "reasoning_content": "hm"}


async def test_reasoning_may_be_put_back(tmp_path: Path) -> None:
    answer = await got(
        "reasoning",
        tmp_path,
        reply("4", reasoning_content="hm"),
        add_reasoning=False,
        migrate_reasoning_content=True,
    )
    assert message(answer)["content"] == "<think>hm</think>4"


async def test_reasoning_of_another_role_or_no_text_is_left_alone(tmp_path: Path) -> None:
    answer = reply(None)
    assert await got("reasoning", tmp_path, answer) == answer
    completion = {"choices": [{"text": "<think>hm</think>4"}]}
    assert await got("reasoning", tmp_path, completion) == completion


async def test_reasoning_is_counted(tmp_path: Path) -> None:
    where = site(tmp_path)
    reasoning = make("reasoning", where)
    answers = [
        reply("<think>one two</think>4"),
        reply("<think>one two three four"),
        reply("4"),
        {
            **reply("4 5", reasoning_content="one two three"),
            "usage": {"completion_tokens_details": {"reasoning_tokens": 30}},
        },
    ]
    for answer in answers:
        await ask(reasoning, question(), Target([answer]))
    await where.finish()
    figures = json.loads((tmp_path / "eval_factory_metrics.json").read_text())["reasoning"]
    expected = {
        "total_responses": 4,
        "responses_with_reasoning": 3,
        "reasoning_started_count": 3,
        "reasoning_finished_count": 2,
        "reasoning_unfinished_count": 1,
        "reasoning_finished_ratio": 2 / 3,
        "avg_reasoning_words": 2.25,
        "max_reasoning_words": 4,
        "total_updated_content_words": 8,
        "max_reasoning_tokens": 30,
        "avg_updated_content_tokens": None,
    }
    assert {key: figures[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("cap", "usage", "expected"),
    [
        ({"max_tokens": 10}, {"completion_tokens": 10}, "length"),
        ({"max_completion_tokens": 5, "max_tokens": 99}, {"completion_tokens": 9}, "length"),
        (
            {"max_tokens": 10},
            {"completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 12}},
            "length",
        ),
        ({"max_tokens": 10}, {"completion_tokens": 9}, "stop"),
        ({"max_tokens": 10}, {}, "stop"),
        ({}, {"completion_tokens": 10}, "stop"),
        ({"max_tokens": True}, {"completion_tokens": 10}, "stop"),
    ],
)
async def test_finish_reason(
    cap: dict[str, Any], usage: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    answer = await got("finish_reason", tmp_path, reply() | {"usage": usage}, cap)
    assert answer["choices"][0]["finish_reason"] == expected


async def test_finish_reason_does_not_blame_one_of_several_choices(tmp_path: Path) -> None:
    several = {"choices": reply()["choices"] * 2, "usage": {"completion_tokens": 10}}
    answer = await got("finish_reason", tmp_path, several, {"max_tokens": 10})
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["stop", "stop"]


async def test_finish_reason_warns_of_empty_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await got("finish_reason", tmp_path, reply("", reasoning_content="hm"), {"max_tokens": 10})
    assert "reasoningOnly answer" in caplog.text


async def test_streaming_asks_for_counts_and_puts_the_answer_together(tmp_path: Path) -> None:
    target = Target(
        [
            await streamed(
                b'data: {"choices": [{"delta": {"content": "4"}}]}\n\n',
                b'data: {"choices": [], "usage": {"total_tokens": 2}}\n\ndata: [DONE]\n\n',
            )
        ]
    )
    asked = {"stream": True, "stream_options": {"x": 1}}
    response = await ask(make("streaming", site(tmp_path)), question(asked), target)
    assert target.seen[0]["stream_options"] == {"x": 1, "include_usage": True}
    assert response.headers == JSON_HEADERS
    assert message(body(response))["content"] == "4"
    assert body(response)["usage"] == {"total_tokens": 2}


@pytest.mark.parametrize(
    ("error", "status"),
    [({"status": 429}, 429), ({"code": 503}, 503), ({"code": "x"}, 502), ("x", 502)],
)
async def test_streaming_gives_an_error_its_status(error: Any, status: int, tmp_path: Path) -> None:
    target = Target([await streamed(b"data: %b\n\n" % json.dumps({"error": error}).encode())])
    assert (await ask(make("streaming", site(tmp_path)), question(), target)).status == status


async def test_streaming_refuses_a_stream_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="holds no answer"):
        await ask(
            make("streaming", site(tmp_path)), question(), Target([await streamed(b": hi\n\n")])
        )


async def test_endpoint_puts_words_where_the_target_has_none(tmp_path: Path) -> None:
    answer = await got("endpoint", tmp_path, reply(None, reasoning_content="hm"))
    assert message(answer)["content"] == ""
    same = Response(200, JSON_HEADERS, Content(b'{"choices": [{"logprobs": null}], "x":  1}'))
    assert await ask(make("endpoint", site(tmp_path)), question(), Target([same])) is same


@pytest.mark.parametrize(
    ("status", "config", "ends"),
    [
        (404, {}, True),
        (499, {}, True),
        (429, {}, False),
        (408, {}, False),
        (500, {}, False),
        (200, {}, False),
        (429, {"exclude_status_codes": None}, True),
        (500, {"status_codes": [500]}, True),
        (404, {"status_code_range_start": 405}, False),
        (404, {"status_code_range_start": None, "status_code_range_end": None}, False),
        (503, {"status_code_range_end": None}, True),
        (301, {"status_code_range_start": None}, True),
    ],
)
async def test_raise_client_errors(
    status: int, config: dict[str, Any], ends: bool, tmp_path: Path
) -> None:
    target = Target([status])
    interceptor = make("raise_client_errors", site(tmp_path), **config)
    if not ends:
        assert (await ask(interceptor, question(), target)).status == status
        return
    with pytest.raises(RefusedError, match=f"the target answered {status}"):
        await ask(interceptor, question(), target)


async def test_after_a_client_error_nothing_is_asked_any_more(tmp_path: Path) -> None:
    target = Target([404, reply()])
    interceptor = make("raise_client_errors", site(tmp_path))
    for _ in range(3):
        with pytest.raises(RefusedError, match="404") as raised:
            await ask(interceptor, question(), target)
        assert raised.value.status == 500
    assert len(target.requests) == 1


@pytest.mark.parametrize(
    "config",
    [
        {"status_codes": [429]},
        {"status_code_range_start": 500, "status_code_range_end": 400},
    ],
)
def test_statuses_that_contradict_each_other_are_refused(
    config: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"cannot be in|is not a range"):
        make("raise_client_errors", site(tmp_path), **config)
