"""A body, as bytes and as the JSON that they hold; each is made of the other when first needed."""

import json
from typing import Any

import msgspec

Json = Any
JsonObject = dict[str, Any]

_UNSET: Any = object()
_decode = msgspec.json.Decoder().decode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


def loads(raw: bytes) -> Json:
    """Parse JSON; raises ValueError.

    msgspec is ten times as fast as the standard library, which takes what msgspec refuses and
    model servers do send: NaN, Infinity, halves of surrogate pairs.
    """
    try:
        return _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return json.loads(raw)


def canonical(value: Json) -> bytes:
    """The same bytes for equal JSON, whatever the order of its keys and its white space."""
    try:
        return _encode_sorted(value)
    except (ValueError, OverflowError):  # half a surrogate pair, or an integer beyond 64 bits
        return json.dumps(value, sort_keys=True).encode()


class Content:
    """Bytes, and lazily their JSON, which nobody may mutate: many interceptors share it."""

    __slots__ = ("_json", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw: bytes | None = raw
        self._json = _UNSET

    @classmethod
    def of(cls, value: Json) -> "Content":
        """The content that holds this JSON."""
        content = cls(b"")
        content._raw, content._json = None, value
        return content

    @property
    def raw(self) -> bytes:
        """The bytes."""
        if self._raw is None:
            # Not by msgspec: it writes NaN as null, which would change an answer unseen.
            self._raw = json.dumps(self._json, separators=(",", ":")).encode()
        return self._raw

    @property
    def json(self) -> Json:
        """The JSON; raises ValueError where the bytes hold none."""
        if self._json is _UNSET:
            self._json = loads(self._raw or b"")
        return self._json

    @property
    def object(self) -> JsonObject | None:
        """The JSON, if it is an object."""
        try:
            value = self.json
        except ValueError:
            return None
        return value if isinstance(value, dict) else None
