"""What all answers have in common: the envelope, the token counts, why a choice ended."""

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from proctor_runtime.engine.protocol import Completion, EngineInfo, ScoredTokens
from proctor_runtime.openai.reasoning_parsers import ReasoningParser
from proctor_runtime.openai.tool_parsers import ToolParser
from proctor_runtime.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model as the API sees it."""

    name: str
    tokenizer: Tokenizer
    info: EngineInfo
    tool_parser: ToolParser | None = None
    reasoning_parser: ReasoningParser | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """The fields that every answer and every chunk of a stream begins with."""

    id: str
    kind: str
    created: int
    model: str

    @classmethod
    def new(cls, prefix: str, kind: str, model: str) -> "Envelope":
        """Return the envelope of an answer that begins now."""
        return cls(f"{prefix}-{uuid.uuid4().hex}", kind, int(time.time()), model)

    def around(self, choices: Sequence[dict[str, Any]], **fields: Any) -> dict[str, Any]:
        """Return an answer, or a chunk of one."""
        return {
            "id": self.id,
            "object": self.kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **fields,
        }


def usage_of(prompts: Iterable[Sequence[int]], new: int) -> dict[str, int]:
    """Count tokens as OpenAI does: each prompt once, and all that were made."""
    prompt = sum(map(len, prompts))
    return {"prompt_tokens": prompt, "completion_tokens": new, "total_tokens": prompt + new}


def spoken(completion: Completion) -> tuple[int, ...]:
    """Return the tokens that have a say in the text: a token that was stopped at has none."""
    tokens = completion.tokens.tokens
    return tokens[:-1] if isinstance(completion.stop, int) else tokens


def joined(one: ScoredTokens, other: ScoredTokens) -> ScoredTokens:
    """Return both, one after the other."""
    return ScoredTokens(
        (*one.tokens, *other.tokens),
        (*one.logprobs, *other.logprobs),
        (*one.top_tokens, *other.top_tokens),
        (*one.top_logprobs, *other.top_logprobs),
    )
