"""The API's own settings."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proctor_crds.wire import CHAT_TEMPLATE
from proctor_runtime.arguments import positive
from proctor_runtime.openai.reasoning_parsers import REASONING_PARSERS
from proctor_runtime.openai.tool_parsers import TOOL_PARSERS

BODY_LIMIT = 64 << 20
"""A large batch of prompts in token ids takes some ten million bytes."""


@dataclass(frozen=True, kw_only=True)
class ApiOptions:
    """How the API behaves where the model or its operator decide."""

    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    chat_template: str | None = None
    """Jinja that replaces the tokenizer's own."""
    max_queued_requests: int = 4096
    max_body_bytes: int = BODY_LIMIT


def add_api_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the API's arguments."""
    add = parser.add_argument
    add("--tool-call-parser", choices=sorted(TOOL_PARSERS), help="how the model writes tool calls")
    add("--reasoning-parser", choices=sorted(REASONING_PARSERS), help="how it marks reasoning")
    add("--chat-template", type=content, help="Jinja file, instead of the tokenizer's own template")
    add("--max-queued-requests", type=positive, default=4096, help="more get 429")
    add("--max-body-bytes", type=positive, default=BODY_LIMIT, help="more get 413")


def content(path: str) -> str:
    """Read the file that an argument names."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be read: {error}") from error


def take_api_options(given: dict[str, Any], environment: Mapping[str, str]) -> ApiOptions:
    """Remove the API's arguments from those given, and return them.

    A pod has its template in ``CHAT_TEMPLATE``: it has no file to put it in.
    """
    options = ApiOptions(**{name: given.pop(name) for name in ApiOptions.__dataclass_fields__})
    if options.chat_template is None and CHAT_TEMPLATE in environment:
        return replace(options, chat_template=environment[CHAT_TEMPLATE])
    return options
