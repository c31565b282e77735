"""Tools that a conversation's model may call."""

from typing import Annotated, Any, Literal

from pydantic import Field

from proctor_runtime.openai.schema.generation import LooseModel

FunctionName = Annotated[str, Field(min_length=1, max_length=256)]


class Function(LooseModel):
    """A function: its name, what it does, and a JSON schema of its parameters."""

    name: FunctionName
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)


class Tool(LooseModel):
    """A function as a tool; no other kind is served."""

    type: Literal["function"]
    function: Function


class NamedFunction(LooseModel):
    """A function by its name."""

    name: FunctionName


class NamedToolChoice(LooseModel):
    """Exactly this function must be called."""

    type: Literal["function"]
    function: NamedFunction


ToolChoice = Literal["none", "auto", "required"] | NamedToolChoice
