"""Answers bit by bit: engine events in, the choices of a stream's chunks out. No clock, no I/O."""

from typing import Any, Protocol

from proctor_runtime.engine.protocol import ScoredToken, ScoredTokens, TokenEvent
from proctor_runtime.openai.answer import joined
from proctor_runtime.openai.chat import ChatPlan, chat_finish
from proctor_runtime.openai.completions import CompletionPlan, stop_reason
from proctor_runtime.openai.logprobs import chat_logprobs, completion_logprobs
from proctor_runtime.openai.message import Message, difference, read_message
from proctor_runtime.openai.offsets import Offsets
from proctor_runtime.openai.text import TextStream

NOTHING = ScoredTokens()

SPEAKER = {"role": "assistant", "content": "", "refusal": None}
"""What the first chunk of a chat's choice says."""


class ChoiceStream(Protocol):
    """One choice on its way."""

    finished: bool

    @property
    def made(self) -> int:
        """Tokens so far."""
        ...

    def accept(self, event: TokenEvent) -> list[dict[str, Any]]:
        """Take in an event; return what chunks say of the choice now, one by one."""
        ...


class Progress:
    """What both kinds of choice keep: the text's stream, and tokens not yet reported."""

    def __init__(self, text: TextStream) -> None:
        self.text = text
        self.made = 0
        self.finish: str | None = None
        self._unreported: list[ScoredToken] = []

    def take(self, event: TokenEvent) -> str:
        """Take in an event; return what may be shown."""
        shown = ""
        if event.token is not None:
            self.made += 1
            self._unreported.append(event.token)
            # The token that was stopped at has no say in the text.
            if not isinstance(event.stop, int):
                shown = self.text.push([event.token.token])
        if event.finish:
            shown += self.text.finish()
        ended = "stop" if self.text.stop is not None else event.finish
        self.finish = self.finish or ended
        return shown

    def report(self) -> ScoredTokens:
        """Return the tokens since the last report."""
        rows, self._unreported = self._unreported, []
        return ScoredTokens.of(rows)

    def forget(self) -> None:
        """Report to nobody."""
        self._unreported.clear()


class CompletionStream:
    """A choice of a streamed text completion."""

    def __init__(self, plan: CompletionPlan, index: int) -> None:
        prompt = plan.prompt_of(index)
        self._plan = plan
        self._index = index
        self._echo = prompt.echo
        self._prompt = NOTHING
        self._offsets = Offsets(plan.model.tokenizer, prompt.rules, prompt.echo)
        self._progress = Progress(TextStream(plan.model.tokenizer, prompt.rules))
        self.finished = False

    @property
    def made(self) -> int:
        """Tokens so far."""
        return self._progress.made

    def accept(self, event: TokenEvent) -> list[dict[str, Any]]:
        """Take in an event; return what a chunk says of the choice now, if anything."""
        if self.finished:
            return []
        self._prompt = joined(self._prompt, event.prompt)
        text = self._echo + self._progress.take(event)
        self._echo = ""
        self.finished = self._progress.finish is not None
        if not text and not self.finished:
            return []
        choice = {
            "index": self._index,
            "text": text,
            "logprobs": self._logprobs(),
            "finish_reason": self._progress.finish,
            "stop_reason": self._stop_reason(event),
        }
        return [choice]

    def _logprobs(self) -> dict[str, Any] | None:
        if self._plan.request.logprobs is None:
            self._progress.forget()
            return None
        prompt, self._prompt = self._prompt, NOTHING
        new = self._progress.report()
        return completion_logprobs(prompt, new, self._plan.model.tokenizer, self._offsets)

    def _stop_reason(self, event: TokenEvent) -> int | str | None:
        asked = self._plan.request.stop_token_ids
        return stop_reason(self._progress.text.stop, event.stop, asked)


class ChatStream:
    """A choice of a streamed chat completion."""

    def __init__(self, plan: ChatPlan, index: int) -> None:
        self._plan = plan
        self._index = index
        self._written = ""
        self._message = Message()
        self._progress = Progress(TextStream(plan.model.tokenizer, plan.text_rules))
        self.finished = False

    @property
    def made(self) -> int:
        """Tokens so far."""
        return self._progress.made

    def accept(self, event: TokenEvent) -> list[dict[str, Any]]:
        """Take in an event; return what chunks say of the choice now: first of all, who speaks."""
        if self.finished:
            return []
        chunks = [] if self._progress.made else [self._choice(SPEAKER, None)]
        shown = self._progress.take(event)
        self.finished = self._progress.finish is not None
        delta = self._difference(shown)
        if delta or self.finished:
            chunks.append(self._choice(delta, event))
        return chunks

    def _difference(self, shown: str) -> dict[str, Any]:
        if self._plan.message_rules.are_trivial:
            return {"content": shown} if shown else {}
        self._written += shown
        rules = self._plan.message_rules
        before, self._message = (
            self._message,
            read_message(self._written, rules, final=self.finished),
        )
        return difference(before, self._message)

    def _choice(self, delta: dict[str, Any], event: TokenEvent | None) -> dict[str, Any]:
        finish = self._progress.finish
        return {
            "index": self._index,
            "delta": delta,
            "logprobs": self._logprobs() if event else None,
            "finish_reason": chat_finish(finish, self._message) if finish else None,
            "stop_reason": self._stop_reason(event) if event else None,
        }

    def _logprobs(self) -> dict[str, Any] | None:
        if not self._plan.request.logprobs:
            self._progress.forget()
            return None
        return chat_logprobs(self._progress.report(), self._plan.model.tokenizer)

    def _stop_reason(self, event: TokenEvent) -> int | str | None:
        asked = self._plan.request.stop_token_ids
        return stop_reason(self._progress.text.stop, event.stop, asked)
