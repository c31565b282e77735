"""A tokenizer whose tokens are characters: one to see through in tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from proctor_runtime.tokenizer import ChatTemplateError

EOS = 0


class CharacterTokenizer:
    """Code points are token ids; ``^`` is BOS and NUL is EOS."""

    def __init__(self) -> None:
        self.eos_ids: tuple[int, ...] = (EOS,)
        self.special: dict[str, str | None] = {"eos_token": "\0", "bos_token": "^"}
        self.chat_template: str | None = "invented"

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        return [*([ord("^")] if add_special_tokens and text else []), *map(ord, text)]

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        return "".join(chr(t) for t in tokens if not (skip_special_tokens and t == EOS))

    def piece(self, token: int) -> str:
        return chr(token)

    def piece_bytes(self, token: int) -> bytes:
        return chr(token).encode()

    def is_special(self, token: int) -> bool:
        return token == EOS

    def render_chat(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> str:
        if messages[0]["role"] == "robot":
            raise ChatTemplateError("the chat template refused the messages: robot")
        tools = "".join(f"[{tool['function']['name']}]" for tool in options.get("tools", ()))
        text = tools + "".join(f"<{m['role']}>{m['content']}" for m in messages)
        return text + ("<assistant>" if options["add_generation_prompt"] else "")
