"""``POST /v1/completions``."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from proctor_runtime.openai.schema.generation import (
    INT32_MAX,
    MOST_CHOICES,
    MOST_LOGPROBS,
    GenerationRequest,
    TokenIds,
)


class CompletionRequest(GenerationRequest):
    """Texts, or token ids, to continue and to score."""

    prompt: str | TokenIds | list[str] | list[TokenIds]
    max_tokens: Annotated[int, Field(ge=0, le=INT32_MAX)] = 16
    logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS)] | None = None
    echo: bool = False
    best_of: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None
    """Make so many, return the `n` likeliest by mean log-probability."""
    add_special_tokens: bool = True
    """Whether text prompts get the tokenizer's own special tokens, such as BOS."""

    @model_validator(mode="after")
    def fit_best_of(self) -> Self:
        """The best of fewer than `n` are not `n`, and only finished ones can be compared."""
        if self.best_of is not None and self.best_of < self.n:
            raise ValueError(f"best_of={self.best_of} must be at least n={self.n}")
        if self.stream and self.candidates > self.n:
            raise ValueError(f"best_of={self.best_of} cannot be streamed: leave it out")
        return self

    @property
    def candidates(self) -> int:
        """How many completions to make of each prompt."""
        return self.best_of or self.n
