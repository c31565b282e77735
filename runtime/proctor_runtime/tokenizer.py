"""Text to token ids and back, by a Hugging Face tokenizer from a local folder."""

import json
import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError

logger = logging.getLogger(__name__)

BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
"""How vocabularies with byte fallback name a single byte."""


class ChatTemplateError(ValueError):
    """The messages do not fit the model's chat template, or it has none."""


class TextError(ValueError):
    """A text that is no Unicode, such as half a surrogate pair."""


class Tokenizer(Protocol):
    """What the OpenAI API needs of a tokenizer."""

    eos_ids: tuple[int, ...]
    """Every token that ends a turn or a text."""
    special: dict[str, str | None]
    """``eos_token``, ``bos_token``, ``pad_token``."""

    @property
    def chat_template(self) -> str | None:
        """The template's source: the default one, where there are several."""
        ...

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Return the text's token ids; `TextError` where it is no Unicode."""
        ...

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """Return the tokens' text."""
        ...

    def piece(self, token: int) -> str:
        """Return what one token, special or not, adds to a text that has begun."""
        ...

    def piece_bytes(self, token: int) -> bytes:
        """Return one token's own bytes, which may be a part of a character only."""
        ...

    def is_special(self, token: int) -> bool:
        """Whether texts leave the token out, unless they are to show special tokens."""
        ...

    def render_chat(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> str:
        """Return the conversation as the model's prompt.

        `options` are those of chat templates: ``tools``, ``add_generation_prompt``,
        ``continue_final_message``, and whatever else this model's template reads.
        Raises `ChatTemplateError`.
        """
        ...


class HuggingFaceTokenizer:
    """A tokenizer folder (``tokenizer.json`` and the like); code in it is never run."""

    def __init__(
        self, folder: Path, chat_template: str | None = None, checkpoint: Path | None = None
    ) -> None:
        self._tokenizer = load_tokenizer(folder)
        if chat_template is not None:
            self._tokenizer.chat_template = chat_template
            check_template(self._tokenizer)
        self._fast = fast_half(self._tokenizer)
        places = [folder] if checkpoint is None else [folder, checkpoint]
        self.eos_ids = eos_ids(self._tokenizer.eos_token_id, places)
        self.special: dict[str, str | None] = {
            name: getattr(self._tokenizer, name) for name in ("eos_token", "bos_token", "pad_token")
        }
        self.piece = lru_cache(maxsize=1 << 18)(self._piece)
        self.piece_bytes = lru_cache(maxsize=1 << 18)(self._piece_bytes)

    @property
    def chat_template(self) -> str | None:
        """The template's source: the default one, where there are several."""
        template = self._tokenizer.chat_template
        if isinstance(template, dict):
            template = template.get("default")
        return template if isinstance(template, str) else None

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Return the text's token ids; `TextError` where it is no Unicode."""
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise TextError(f"the text is no Unicode: {error.reason} at {error.start}") from error
        if self._fast is not None:
            # Unlike `encode`, this lets other threads run meanwhile; and it computes no offsets.
            [found] = self._fast.encode_batch_fast([text], add_special_tokens=add_special_tokens)
            ids: list[int] = found.ids
        else:
            ids = self._tokenizer.encode(text, add_special_tokens=add_special_tokens)
        return ids

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """Return the tokens' text, as it is: no cleaning up of spaces."""
        if self._fast is not None:
            text: str = self._fast.decode(list(tokens), skip_special_tokens=skip_special_tokens)
        else:
            text = self._tokenizer.decode(
                list(tokens),
                skip_special_tokens=skip_special_tokens,
                clean_up_tokenization_spaces=False,
            )
        return text

    def is_special(self, token: int) -> bool:
        """Whether texts leave the token out, unless they are to show special tokens."""
        return token in self._special

    def _piece(self, token: int) -> str:
        ahead, text = self._beginning
        together = self.decode([*ahead, token], skip_special_tokens=False)
        if together.startswith(text):
            return together.removeprefix(text)
        return self.decode([token], skip_special_tokens=False)

    @cached_property
    def _beginning(self) -> tuple[list[int], str]:
        """Tokens to decode others behind, and their text: some decoders drop a first space."""
        tokens = self.encode("a", add_special_tokens=False)
        return tokens, self.decode(tokens, skip_special_tokens=False)

    def _piece_bytes(self, token: int) -> bytes:
        name = self._tokenizer.convert_ids_to_tokens(token)
        if not isinstance(name, str) or token in self._added:
            return self.piece(token).encode()
        if single := BYTE_TOKEN.fullmatch(name):
            return bytes([int(single[1], 16)])
        if self._byte_of and all(letter in self._byte_of for letter in name):
            return bytes(self._byte_of[letter] for letter in name)
        return self.piece(token).encode()

    @cached_property
    def _added(self) -> frozenset[int]:
        return frozenset(self._tokenizer.added_tokens_decoder)

    @cached_property
    def _special(self) -> frozenset[int]:
        added = self._tokenizer.added_tokens_decoder
        return frozenset(token for token, how in added.items() if how.special)

    @cached_property
    def _byte_of(self) -> dict[str, int]:
        """Each letter's byte, in vocabularies whose letters are bytes; empty in others."""
        from transformers.convert_slow_tokenizer import bytes_to_unicode  # noqa: PLC0415 - slow

        if self._fast is None or "ByteLevel" not in repr(self._fast.decoder):
            return {}
        return {letter: byte for byte, letter in bytes_to_unicode().items()}

    def render_chat(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> str:
        """Return the conversation as the model's prompt, by the library's sandboxed Jinja.

        A template comes with a checkpoint, from strangers: it gets no way out of its sandbox.
        """
        if self._tokenizer.chat_template is None:
            raise ChatTemplateError("the model's tokenizer has no chat template")
        try:
            text: str = self._tokenizer.apply_chat_template(
                list(messages), tokenize=False, **options
            )
        except Exception as error:  # a stranger's program met a stranger's data: anything may come
            raise ChatTemplateError(f"the chat template refused the messages: {error}") from error
        return text


def check_template(tokenizer: Any) -> None:
    """Refuse a chat template that does not compile; what it makes of messages is theirs to see."""
    from jinja2 import TemplateSyntaxError  # noqa: PLC0415 - of the library's own template engine

    try:
        tokenizer.apply_chat_template([{"role": "user", "content": ""}], tokenize=False)
    except TemplateSyntaxError as error:
        raise RejectedError(
            Reason.CHAT_TEMPLATE_INVALID,
            f"the chat template does not compile: line {error.lineno}: {error.message}",
        ) from error
    except Exception as error:  # a template may refuse these messages, and take others
        logger.debug("the chat template refused a trial: %s", error)


def fast_half(tokenizer: Any) -> Any:
    """Return the tokenizer's own Rust object, which takes calls from any thread; None without one.

    The wrapper around it sets truncation and padding before each call, which no two threads may do
    at once, and takes as long again as the call itself.
    """
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is not None:
        fast.no_truncation()
        fast.no_padding()
    return fast


def eos_ids(eos_id: int | None, places: Iterable[Path]) -> tuple[int, ...]:
    """Return the tokens that end a turn: the tokenizer's, and those of ``generation_config.json``.

    Instruction-tuned models often have two: one ends the turn, the other the text. The file lies
    beside the tokenizer or the weights, which need not be the same folder.
    """
    stated = [token for place in places for token in stated_eos_ids(place)]
    return tuple(dict.fromkeys(stated if eos_id is None else [eos_id, *stated]))


def stated_eos_ids(folder: Path) -> list[int]:
    """Read the ids, one or several, from a folder's ``generation_config.json``, if it has one."""
    file = folder / "generation_config.json"
    if not file.is_file():
        return []
    try:
        ids = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id")
    except (OSError, ValueError, AttributeError) as error:
        raise RejectedError(
            Reason.TOKENIZER_NOT_FOUND, f"{file}, which says what ends a turn, is unusable: {error}"
        ) from error
    return [one for one in (ids if isinstance(ids, list) else [ids]) if isinstance(one, int)]


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
