"""``turn_counter``: counts an agent's turns, reminds it of their end, and ends them.

A session is told by the ``/s/<hex>/v1`` base URL that the agent was given, or else by how its
conversation begins.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from proctor_harness.adapter import openai
from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import Json, JsonObject
from proctor_harness.adapter.errors import RefusedError
from proctor_harness.adapter.messages import Endpoint, Interceptor, Request, Response
from proctor_harness.adapter.rewrite import asked, changed
from proctor_harness.adapter.site import Site

WARN_AT, URGE_AT = 0.80, 0.95
STALE_SECONDS = 900.0
SWEEP_SECONDS = 300.0
CODE = "session_budget_exhausted"

logger = logging.getLogger(__name__)


class Config(InterceptorConfig):
    """Fields of ``turn_counter``."""

    every: int = 1
    """Log each so many turns."""
    max_turns: int | None = None
    """Turns of a session; without, it is only counted."""
    position: Literal["system_message", "user_message", "new_user_message", "tool_message"] = (
        "system_message"
    )
    """Where a reminder goes."""
    trigger: Literal["threshold", "periodic"] = "threshold"
    """Remind at 80 and 95 % of max_turns, or each `interval` turns."""
    interval: Annotated[int, Field(ge=1)] = 1
    """Turns between periodic reminders."""
    pre_threshold_tool_reminder_interval: Annotated[int, Field(ge=0)] | None = None
    """Before the threshold: turns between reminders in a trailing tool message."""

    @model_validator(mode="after")
    def _placed(self) -> "Config":
        if self.position == "tool_message" and self.trigger != "periodic":
            raise ValueError("position=tool_message needs trigger=periodic")
        return self


def build(config: Config, _: Site) -> Interceptor:
    """Count from the first turn."""
    return TurnCounter(config, time.monotonic)


@dataclass(slots=True)
class Session:
    """A conversation."""

    turns: int
    last: float


class TurnCounter:
    """The interceptor."""

    def __init__(self, config: Config, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._swept = clock()

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Count, and remind or refuse."""
        if not openai.is_question(request):
            return await call_next(request)
        session = request.session or session_of(asked(request))
        turn = self._count(session)
        if turn % max(self._config.every, 1) == 0 or turn == 1:
            logger.info("session %s turn %d of %s", session, turn, self._config.max_turns)
        if self._config.max_turns is None:
            return await call_next(request)
        if turn > self._config.max_turns:
            spent = f"{turn}/{self._config.max_turns} turns used"
            raise RefusedError(429, CODE, f"Turn budget exhausted: {spent}. The session is over.")
        return await call_next(changed(request, lambda body: reminded(self._config, turn, body)))

    def _count(self, key: str) -> int:
        now = self._clock()
        if now - self._swept > SWEEP_SECONDS:
            kept = {k: s for k, s in self._sessions.items() if now - s.last <= STALE_SECONDS}
            self._sessions, self._swept = kept, now
        session = self._sessions.setdefault(key, Session(0, now))
        session.turns, session.last = session.turns + 1, now
        return session.turns


def session_of(body: JsonObject) -> str:
    """A name for the conversation: a hash of its first message that is no system message."""
    for message in body.get("messages") or []:
        said = openai.text(message.get("content"))
        if message.get("role") != "system" and said:
            return hashlib.sha256(said.encode()).hexdigest()[:8]
    return "unknown"


def reminded(config: Config, turn: int, body: JsonObject) -> JsonObject:
    """The question with a reminder, if one is due at this turn."""
    messages = body.get("messages")
    due = notice(config, turn)
    if not isinstance(messages, list) or due is None:
        return body
    words, position = due
    return {**body, "messages": placed(words, position, messages)}


def notice(config: Config, turn: int) -> tuple[str, str] | None:
    """What to remind of at this turn, and where."""
    most = config.max_turns or 0
    flat = f"Reminder: {most - turn} of {most} turns are left for this task."
    if config.trigger == "periodic":
        return (flat, config.position) if turn % config.interval == 0 else None
    if turn / most < WARN_AT:
        every = config.pre_threshold_tool_reminder_interval
        return (flat, "tool_message") if every and turn % every == 0 else None
    words = warning(turn, most)
    # Said in a message of its own, it shall read as the framework's.
    own = config.position in ("system_message", "new_user_message")
    return (f"[SYSTEM] {words}" if own else words, config.position)


def warning(turn: int, most: int) -> str:
    """Words that grow with the need."""
    used = f"Turn {turn} of {most}, {most - turn} left."
    if turn / most >= URGE_AT:
        return f"{used} Give your final answer now and begin nothing new."
    return f"{used} Finish what you are doing and prepare your final answer."


def placed(words: str, position: str, messages: list[JsonObject]) -> list[JsonObject]:
    """The messages with the reminder; unchanged where its place does not exist."""
    if position == "system_message":
        return [*messages, {"role": "system", "content": words}]
    if position == "new_user_message":
        return [*messages, {"role": "user", "content": words}]
    role = "tool" if position == "tool_message" else "user"
    at = max((i for i, m in enumerate(messages) if m.get("role") == role), default=None)
    if at is None or (role == "tool" and at != len(messages) - 1):
        return messages
    message = {**messages[at], "content": appended(messages[at].get("content"), words)}
    return [*messages[:at], message, *messages[at + 1 :]]


def appended(content: Json, words: str) -> Json:
    """A message's content with the reminder at its very end."""
    if isinstance(content, list):
        tail = content[-1] if content else None
        if isinstance(tail, dict) and tail.get("type") == "text":
            return [*content[:-1], {**tail, "text": appended(tail.get("text"), words)}]
        return [*content, {"type": "text", "text": words}]
    return f"{content}\n\n{words}" if isinstance(content, str) and content else words
