"""How much of a pod's answer is heard."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from proctor_operator.answer import LONGEST, json_object, parsed


class Body:
    """A body in pieces, which knows how many were read."""

    def __init__(self, *pieces: bytes, repeated: int = 1) -> None:
        self._pieces = pieces * repeated
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.read += 1
            yield piece


async def heard(body: Body) -> Any:
    return await json_object(aiter(body))


async def test_an_object_comes_in_pieces() -> None:
    assert await heard(Body(b'{"done"', b": 3}")) == {"done": 3}


async def test_an_object_may_be_as_long_as_it_may() -> None:
    content = json.dumps({"a": ""}).encode()
    content = content.replace(b'""', b'"%b"' % (b"x" * (LONGEST - len(content))))
    assert await heard(Body(content)) == json.loads(content)
    assert await heard(Body(content, b" ")) is None


async def test_what_is_too_long_is_not_read_to_its_end() -> None:
    body = Body(b"[" * 1000, repeated=1_000_000)
    assert await heard(body) is None
    assert body.read == LONGEST // 1000 + 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"all is well",
        b'{"done": 3',
        b"\xff{}",
        b"null",
        b"[1]",
        b'"text"',
        b"1" * 5000,
        b"[" * 60_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
    ids=["empty", "text", "cut", "bytes", "null", "list", "string", "number", "lists", "deep"],
)
def test_what_is_no_object_is_no_answer(content: bytes) -> None:
    assert parsed(content) is None
