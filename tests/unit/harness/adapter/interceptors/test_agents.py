"""Interceptors for agents: turns and reasoning."""

from pathlib import Path
from typing import Any

import pytest

from proctor_harness.adapter.errors import RefusedError
from proctor_harness.adapter.interceptors.turn_counter import Config, TurnCounter
from tests.unit.harness.adapter.asking import Target, ask, make, question, reply, site, streamed

USER = {"role": "user", "content": "go"}
TOOL = {"role": "tool", "content": "done", "tool_call_id": "1"}


async def turns(
    root: Path, count: int, messages: list[Any] | None = None, **config: Any
) -> list[Any]:
    """The last message of each turn, as the target saw it."""
    target, counter = Target(), make("turn_counter", site(root), **config)
    for _ in range(count):
        await ask(counter, question({"messages": messages or [USER]}, session="ab"), target)
    return [seen["messages"][-1] for seen in target.seen]


async def test_an_agent_is_warned_and_then_urged(tmp_path: Path) -> None:
    found = await turns(tmp_path, 20, max_turns=20)
    assert found[:15] == [USER] * 15
    assert all(m["role"] == "system" and "Finish" in m["content"] for m in found[15:18])
    assert all("final answer now" in m["content"] for m in found[18:])
    assert found[15]["content"].startswith("[SYSTEM] Turn 16 of 20, 4 left.")


async def test_a_session_ends_with_its_turns(tmp_path: Path) -> None:
    target, counter = Target(), make("turn_counter", site(tmp_path), max_turns=2)
    for session in ("a", "b"):
        for _ in range(2):
            await ask(counter, question(session=session), target)
    with pytest.raises(RefusedError, match="3/2 turns used") as raised:
        await ask(counter, question(session="a"), target)
    assert (raised.value.status, raised.value.code) == (429, "session_budget_exhausted")
    assert len(target.requests) == 4


async def test_without_a_session_the_conversations_beginning_tells_it(tmp_path: Path) -> None:
    target, counter = Target(), make("turn_counter", site(tmp_path), max_turns=1)
    later = {"role": "user", "content": "go on"}
    await ask(counter, question({"messages": [USER]}), target)
    await ask(counter, question({"messages": [later]}), target)
    longer = question({"messages": [{"role": "system", "content": "x"}, USER, later]})
    with pytest.raises(RefusedError):
        await ask(counter, longer, target)


@pytest.mark.parametrize(
    ("position", "messages", "expected"),
    [
        ("user_message", [USER], {"role": "user", "content": "go\n\nReminder: 9 of 10 turns"}),
        ("new_user_message", [USER], {"role": "user", "content": "Reminder: 9 of 10 turns"}),
        ("system_message", [USER], {"role": "system", "content": "Reminder: 9 of 10 turns"}),
        ("tool_message", [USER, TOOL], {**TOOL, "content": "done\n\nReminder: 9 of 10 turns"}),
        ("tool_message", [TOOL, USER], USER),
    ],
)
async def test_where_a_periodic_reminder_goes(
    position: str, messages: list[Any], expected: Any, tmp_path: Path
) -> None:
    config = {"max_turns": 10, "trigger": "periodic", "position": position}
    [found] = await turns(tmp_path, 1, messages, **config)
    assert found == {**found, **expected, "content": found["content"]}
    assert found["content"].startswith(expected["content"])


async def test_a_reminder_in_parts_ends_the_last_of_them(tmp_path: Path) -> None:
    image, text = {"type": "image_url"}, {"type": "text", "text": "look"}
    config = {"max_turns": 4, "trigger": "periodic", "position": "user_message"}
    [found] = await turns(tmp_path, 1, [{"role": "user", "content": [image, text]}], **config)
    assert found["content"][0] == image
    assert found["content"][1]["text"].startswith("look\n\nReminder")
    [found] = await turns(tmp_path, 1, [{"role": "user", "content": [image]}], **config)
    assert found["content"][1]["text"].startswith("Reminder")


async def test_reminders_come_each_interval(tmp_path: Path) -> None:
    found = await turns(tmp_path, 6, max_turns=100, trigger="periodic", interval=3)
    assert [m["role"] for m in found] == ["user", "user", "system"] * 2


async def test_before_the_threshold_tools_may_remind(tmp_path: Path) -> None:
    config = {"max_turns": 100, "pre_threshold_tool_reminder_interval": 2}
    found = await turns(tmp_path, 4, [USER, TOOL], **config)
    assert [m["content"] == "done" for m in found] == [True, False, True, False]


async def test_without_a_limit_turns_are_only_counted(tmp_path: Path) -> None:
    assert await turns(tmp_path, 50) == [USER] * 50


def test_a_reminder_of_urgency_has_no_place_in_a_tools_message(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs trigger=periodic"):
        make("turn_counter", site(tmp_path), position="tool_message")


async def test_old_sessions_are_forgotten() -> None:
    now = [0.0]
    counter, target = TurnCounter(Config(max_turns=1), lambda: now[0]), Target()
    await ask(counter, question(session="a"), target)
    now[0] = 1000.0
    await ask(counter, question(session="b"), target)
    await ask(counter, question(session="a"), target)
    assert len(target.requests) == 3


async def replayed(
    root: Path, answer: Any, message: Any, session: str | None = None, **config: Any
) -> Any:
    """How the target sees `message` in the turn after `answer`."""
    replay, target = make("reasoning_replay", site(root), **config), Target([answer, reply()])
    await ask(replay, question(session="s"), target)
    await ask(replay, question({"messages": [USER, message, USER]}, session=session or "s"), target)
    return target.seen[-1]["messages"][1]


CALLING = {"tool_calls": [{"id": "call-1"}]}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("think_tags", {"content": "<think>hm</think>\n4"}),
        ("native", {"content": "4", "reasoning_content": "hm"}),
        ("both", {"content": "<think>hm</think>\n4", "reasoning_content": "hm"}),
    ],
)
async def test_reasoning_is_given_back(mode: str, expected: dict[str, str], tmp_path: Path) -> None:
    answer = reply("4", reasoning_content="hm", **CALLING)
    message = {"role": "assistant", "content": "4", **CALLING}
    assert await replayed(tmp_path, answer, message, mode=mode) == message | expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "<think>hm</think>\n"),
        ([{"type": "text", "text": "4"}], [{"type": "text", "text": "<think>hm</think>\n"}]),
        ("<think>own</think>4", "<think>own</think>4"),
    ],
)
async def test_whatever_form_the_content_has(content: Any, expected: Any, tmp_path: Path) -> None:
    answer = reply("4", reasoning_content="hm", **CALLING)
    message = {"role": "assistant", "content": content, **CALLING}
    found = await replayed(tmp_path, answer, message)
    assert found["content"][: len(expected)] == expected


async def test_an_answer_without_calls_is_known_by_its_words(tmp_path: Path) -> None:
    answer = reply("four", reasoning_content="hm")
    same, other = ({"role": "assistant", "content": words} for words in ("four", "five"))
    assert (await replayed(tmp_path, answer, same))["content"] == "<think>hm</think>\nfour"
    assert await replayed(tmp_path, answer, other) == other
    assert await replayed(tmp_path, answer, same, session="another") == same
    asked = {"role": "user", "content": "four"}
    assert await replayed(tmp_path, answer, asked) == asked


async def test_a_streamed_answer_is_remembered_too(tmp_path: Path) -> None:
    event = b'data: {"choices": [{"delta": {"content": "4", "reasoning_content": "hm"}}]}\n\n'
    found = await replayed(tmp_path, await streamed(event), {"role": "assistant", "content": "4"})
    assert found["content"] == "<think>hm</think>\n4"


async def test_the_oldest_is_forgotten(tmp_path: Path) -> None:
    replay = make("reasoning_replay", site(tmp_path), cache_max_entries=1)
    target = Target([reply(n, reasoning_content="hm") for n in "ab"])
    for _ in range(2):
        await ask(replay, question(), target)
    messages = [{"role": "assistant", "content": n} for n in "ab"]
    await ask(replay, question({"messages": messages}), target)
    assert [m["content"][:1] for m in target.seen[-1]["messages"]] == ["a", "<"]
