"""Text to token ids and back, by a Hugging Face tokenizer from a local folder."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NoReturn, Protocol

from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError


class ChatTemplateError(ValueError):
    """The messages do not fit the model's chat template, or it has none."""


class Tokenizer(Protocol):
    """What the OpenAI API needs of a tokenizer."""

    eos_id: int | None
    special: dict[str, str | None]
    """``eos_token``, ``bos_token``, ``pad_token``."""
    chat_template: str | None

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Return the text's token ids."""
        ...

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """Return the tokens' text."""
        ...

    def piece(self, token: int) -> str:
        """Return one token's own text, special or not."""
        ...

    def render_chat(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Return the conversation as the model's prompt for its next turn."""
        ...


class HuggingFaceTokenizer:
    """A tokenizer folder (``tokenizer.json`` and the like); code in it is never run."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = load_tokenizer(folder)
        self.eos_id: int | None = self._tokenizer.eos_token_id
        self.special: dict[str, str | None] = {
            name: getattr(self._tokenizer, name) for name in ("eos_token", "bos_token", "pad_token")
        }
        template = self._tokenizer.chat_template
        self.chat_template: str | None = template if isinstance(template, str) else None
        self.piece = lru_cache(maxsize=1 << 18)(self._piece)

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Return the text's token ids."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=add_special_tokens)
        return ids

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """Return the tokens' text, as it is: no cleaning up of spaces."""
        text: str = self._tokenizer.decode(
            list(tokens),
            skip_special_tokens=skip_special_tokens,
            clean_up_tokenization_spaces=False,
        )
        return text

    def _piece(self, token: int) -> str:
        return self.decode([token], skip_special_tokens=False)

    def render_chat(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Return the conversation as the model's prompt for its next turn."""
        if self.chat_template is None:
            raise ChatTemplateError("the model's tokenizer has no chat template")
        tokens = {name: token or "" for name, token in self.special.items()}
        try:
            text: str = self._template.render(
                messages=messages, add_generation_prompt=True, **tokens
            )
        except TemplateError as error:
            raise ChatTemplateError(f"the chat template refused the messages: {error}") from error
        return text

    @cached_property
    def _template(self) -> Any:
        # A template comes with a checkpoint, from strangers: it gets no way out of its sandbox.
        sandbox = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        sandbox.globals["raise_exception"] = raise_template_error
        return sandbox.from_string(self.chat_template or "")


def raise_template_error(message: str) -> NoReturn:
    """Let a chat template refuse a conversation."""
    raise TemplateError(message)


def load_tokenizer(folder: Path) -> Any:
    """Load a tokenizer from files alone: no network, no code of its own."""
    if not folder.is_dir():
        raise RejectedError(Reason.TOKENIZER_NOT_FOUND, f"no tokenizer at {folder}: no such folder")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformers import AutoTokenizer  # noqa: PLC0415 - it takes seconds to import

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers raises almost anything for a folder it cannot use
        raise RejectedError(
            Reason.TOKENIZER_NOT_FOUND, f"the tokenizer at {folder} cannot be loaded: {error}"
        ) from error
