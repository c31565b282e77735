"""The API's own settings."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from proctor_runtime.openai.reasoning_parsers import REASONING_PARSERS
from proctor_runtime.openai.tool_parsers import TOOL_PARSERS

BODY_LIMIT = 64 << 20
"""A large batch of prompts in token ids takes some ten million bytes."""


@dataclass(frozen=True, kw_only=True)
class ApiOptions:
    """How the API behaves where the model or its operator decide."""

    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    chat_template: Path | None = None
    max_queued_requests: int = 4096
    max_body_bytes: int = BODY_LIMIT


def add_api_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the API's arguments."""
    add = parser.add_argument
    add("--tool-call-parser", choices=sorted(TOOL_PARSERS), help="how the model writes tool calls")
    add("--reasoning-parser", choices=sorted(REASONING_PARSERS), help="how it marks reasoning")
    add("--chat-template", type=Path, help="Jinja file, instead of the tokenizer's own template")
    add("--max-queued-requests", type=at_least_one, default=4096, help="more get 429")
    add("--max-body-bytes", type=at_least_one, default=BODY_LIMIT, help="more get 413")


def at_least_one(text: str) -> int:
    """Parse a whole number of at least one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def take_api_options(given: dict[str, object]) -> ApiOptions:
    """Remove the API's arguments from those given, and return them."""
    fields = ApiOptions.__dataclass_fields__
    return ApiOptions(**{name: given.pop(name) for name in fields})  # type: ignore[arg-type]
