"""The requests of the OpenAI API, as far as they are served.

Fields that would change the answer and are not implemented are refused when they ask for something;
any other unknown field is ignored, as OpenAI's clients expect of compatible servers.
"""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Each with the values that ask for nothing.
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "stream": (False,),
    "best_of": (1,),
    "suffix": ("",),
    "logit_bias": ({},),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "repetition_penalty": (1,),
    "min_p": (0,),
    "min_tokens": (0,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "guided_json": (),
    "guided_regex": (),
    "guided_choice": (),
    "use_beam_search": (False,),
    "prompt_logprobs": (0, False),
    "ignore_eos": (False,),
}

TokenIds = list[Annotated[int, Field(ge=0)]]


class UnsupportedError(ValueError):
    """A field asks for what is not implemented."""


class GenerationRequest(BaseModel):
    """What both kinds of completion have in common."""

    model_config = ConfigDict(extra="allow")

    model: str
    temperature: Annotated[float, Field(ge=0, le=100)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=-1)] = 0
    seed: int | None = None
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] = 1

    @model_validator(mode="after")
    def refuse_unsupported(self) -> Self:
        """Refuse what would otherwise be silently left out."""
        for field, harmless in UNSUPPORTED.items():
            value = (self.model_extra or {}).get(field)
            if value is not None and value not in harmless:
                raise UnsupportedError(f"{field}={value!r} is not supported yet")
        return self

    @property
    def stop_texts(self) -> tuple[str, ...]:
        """The texts to stop at, however they were given."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(stop for stop in stops if stop)


class CompletionRequest(GenerationRequest):
    """``POST /v1/completions``."""

    prompt: str | TokenIds | list[str] | list[TokenIds]
    max_tokens: Annotated[int, Field(ge=0)] | None = 16
    logprobs: Annotated[int, Field(ge=0, le=100)] | None = None
    echo: bool = False
    add_special_tokens: bool = True
    """Whether text prompts get the tokenizer's own special tokens, such as BOS."""


class ChatMessage(BaseModel):
    """One turn of a conversation; templates may use further fields."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[dict[str, Any]] | None = None


class ChatCompletionRequest(GenerationRequest):
    """``POST /v1/chat/completions``."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=100)] = 0


class TokenizeRequest(BaseModel):
    """``POST /tokenize``, as stock lm-eval's remote tokenizer sends it."""

    prompt: str
    add_special_tokens: bool = True


class DetokenizeRequest(BaseModel):
    """``POST /detokenize``, as stock lm-eval's remote tokenizer sends it."""

    tokens: TokenIds
