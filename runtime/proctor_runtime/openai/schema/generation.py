"""What both kinds of completion have in common."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from proctor_runtime.openai.schema.refused import refuse

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1

TokenId = Annotated[int, Field(ge=0, le=INT32_MAX)]
TokenIds = list[TokenId]

MOST_STOPS = 16
LONGEST_STOP = 256
"""Characters. After each token the end of the text is looked through for it."""
MOST_CHOICES = 128
MOST_LOGPROBS = 100


class LooseModel(BaseModel):
    """Takes null for what is left out, and fields that it does not know."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="before")
    @classmethod
    def leave_out_nulls(cls, given: Any) -> Any:
        """OpenAI's clients write null where they mean nothing."""
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value is not None}


class StreamOptions(LooseModel):
    """``stream_options``."""

    include_usage: bool = False


class GenerationRequest(LooseModel):
    """How to pick tokens, when to stop, and how to answer."""

    model: str
    temperature: Annotated[float, Field(ge=0, le=100)] = 1.0
    top_p: Annotated[float, Field(ge=0, le=1)] = 1.0
    """0 keeps the likeliest token alone."""
    top_k: Annotated[int, Field(ge=-1, le=INT32_MAX)] = 0
    """0 and -1 keep all tokens."""
    min_p: Annotated[float, Field(ge=0, le=1)] = 0.0
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    repetition_penalty: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] = Field(default_factory=dict)
    """By token id."""
    seed: Annotated[int, Field(ge=-INT64_MAX - 1, le=INT64_MAX)] | None = None
    stop: str | Annotated[list[str], Field(max_length=MOST_STOPS)] = Field(default_factory=list)
    stop_token_ids: TokenIds = Field(default_factory=list)
    include_stop_str_in_output: bool = False
    ignore_eos: bool = False
    min_tokens: Annotated[int, Field(ge=0, le=INT32_MAX)] = 0
    skip_special_tokens: bool = True
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] = 1
    stream: bool = False
    stream_options: StreamOptions | None = None

    @model_validator(mode="after")
    def refuse_unsupported(self) -> Self:
        """Refuse what would otherwise be silently left out."""
        refuse(self.model_extra or {})
        if self.stream_options and not self.stream:
            raise ValueError("stream_options is only allowed with stream=true")
        return self

    @field_validator("stop")
    @classmethod
    def take_short_unicode(cls, stop: str | list[str]) -> str | list[str]:
        """Refuse half a surrogate pair: JSON can write it, and no text ever has it."""
        for text in [stop] if isinstance(stop, str) else stop:
            if len(text) > LONGEST_STOP:
                raise ValueError(
                    f"stop has a text of {len(text)} characters: at most {LONGEST_STOP} characters "
                    "are looked for"
                )
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"stop has {text!r:.80}, which is no Unicode: leave the half of a surrogate "
                    "pair out, or write both halves"
                ) from error
        return stop

    @field_validator("logit_bias")
    @classmethod
    def take_token_ids(cls, bias: dict[str, float]) -> dict[str, float]:
        """Refuse names that are no token ids."""
        for token in bias:
            if not (token.isascii() and token.isdigit() and int(token) <= INT32_MAX):
                raise ValueError(f"logit_bias has {token!r}: it must be a token id")
        return bias

    @property
    def stop_texts(self) -> tuple[str, ...]:
        """The texts to stop at, however they were given."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop
        return tuple(stop for stop in stops if stop)

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with the token counts."""
        return self.stream_options is not None and self.stream_options.include_usage
