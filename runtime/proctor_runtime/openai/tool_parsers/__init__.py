"""Reading tool calls out of what a model wrote: one module for each way of writing them.

Another format is a module and a line here.
"""

from typing import Protocol

from proctor_runtime.openai.tool_parsers import hermes, llama3_json
from proctor_runtime.openai.tool_parsers.call import Scan


class ToolParser(Protocol):
    """A module."""

    def opening(self, function: str | None) -> str:
        """Return how a call begins, of `function` or of any.

        Put before the model's turn, it forces one.
        """
        ...

    def scan(self, text: str, *, final: bool) -> Scan:
        """Return the content and the calls in what was written so far.

        Until `final`, only what no later text can change: content and each call's arguments grow
        by appending, and calls are only added.
        """
        ...


TOOL_PARSERS: dict[str, ToolParser] = {"hermes": hermes, "llama3_json": llama3_json}
