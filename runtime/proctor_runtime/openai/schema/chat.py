"""``POST /v1/chat/completions``."""

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from proctor_runtime.openai.schema.generation import (
    INT32_MAX,
    MOST_LOGPROBS,
    GenerationRequest,
    LooseModel,
)
from proctor_runtime.openai.schema.tools import NamedToolChoice, Tool, ToolChoice

RESERVED = frozenset({
    "add_generation_prompt",
    "chat_template",
    "continue_final_message",
    "conversation",
    "documents",
    "max_length",
    "messages",
    "padding",
    "return_assistant_tokens_mask",
    "return_dict",
    "return_tensors",
    "sanitize_control_tokens",
    "self",
    "tokenize",
    "tokenizer_kwargs",
    "tools",
    "truncation",
})  # fmt: skip
"""Not for `chat_template_kwargs`: they have fields of their own, or are not the client's to say."""


class ChatMessage(LooseModel):
    """One turn of a conversation; templates may use further fields."""

    role: str
    content: str | list[dict[str, Any]] | None = None


class Conversation(LooseModel):
    """What makes up the prompt."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    tools: list[Tool] = Field(default_factory=list)
    add_generation_prompt: bool = True
    continue_final_message: bool = False
    """Leave the last message open, for the model to go on with."""
    add_special_tokens: bool = False
    """Besides those that the template writes itself."""
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)
    reasoning_effort: str | None = None
    """Reaches the template, which may or may not heed it."""

    @field_validator("chat_template_kwargs")
    @classmethod
    def keep_to_the_template(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Refuse options that are not the template's."""
        if taken := sorted(RESERVED & options.keys()):
            raise ValueError(f"chat_template_kwargs must not have {', '.join(taken)}")
        return options

    @model_validator(mode="after")
    def go_on_or_begin(self) -> Self:
        """A message is continued or a new one begun, not both."""
        explicit = "add_generation_prompt" in self.model_fields_set
        if self.continue_final_message and self.add_generation_prompt and explicit:
            raise ValueError(
                "continue_final_message and add_generation_prompt exclude each other: set one"
            )
        return self


class ChatCompletionRequest(GenerationRequest, Conversation):
    """A conversation whose next turn is asked for."""

    max_tokens: Annotated[int, Field(ge=1, le=INT32_MAX)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=INT32_MAX)] | None = None
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS)] = 0
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool = True

    @model_validator(mode="after")
    def fit_tools(self) -> Self:
        """Refuse a choice among tools that are not there."""
        if self.tool_choice not in (None, "none", "auto") and not self.tools:
            raise ValueError("tool_choice is only allowed with tools")
        if isinstance(self.tool_choice, NamedToolChoice):
            names = [tool.function.name for tool in self.tools]
            if self.tool_choice.function.name not in names:
                wanted = self.tool_choice.function.name
                raise ValueError(f"tool_choice names {wanted!r}, which is not among tools: {names}")
        if self.top_logprobs and not self.logprobs:
            raise ValueError(f"top_logprobs={self.top_logprobs} needs logprobs=true")
        return self

    @property
    def may_call_tools(self) -> bool:
        """Whether the model is told of tools, and the answer is searched for calls."""
        return bool(self.tools) and self.tool_choice != "none"

    @property
    def forced_function(self) -> str | None:
        """The function that must be called; None where there is none in particular."""
        choice = self.tool_choice
        return choice.function.name if isinstance(choice, NamedToolChoice) else None
