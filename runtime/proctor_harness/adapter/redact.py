"""The API key stays in the adapter: where a target repeats it, it is blotted out.

Servers do quote the key they were sent ("Incorrect API key provided: sk-..."), and what they say
goes into the harness's logs, its artifacts and the run's status.
"""

from contextlib import aclosing
from dataclasses import replace

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.messages import Endpoint, Headers, Request, Response, Stream, primed

SECRET_CHARACTERS = 8
"""A shorter key ("EMPTY", "none") protects nothing, and may well stand in an honest answer."""
BLOT = b"[redacted]"


def is_secret(key: str) -> bool:
    """Whether the key protects anything."""
    return len(key) >= SECRET_CHARACTERS


class Redaction:
    """The interceptor next to the target: nothing beyond it sees the key."""

    def __init__(self, key: str) -> None:
        self._secret = key.encode()

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Blot the key out of headers and body."""
        response = await call_next(request)
        headers, body = self._headers(response.headers), response.body
        if not isinstance(body, Content):
            return replace(response, headers=headers, body=await primed(self._stream(body)))
        if self._secret in body.raw:
            body = Content(self._redact(body.raw))
        elif headers is response.headers:
            return response
        return replace(response, headers=headers, body=body)

    def _redact(self, content: bytes) -> bytes:
        return content.replace(self._secret, BLOT)

    def _headers(self, headers: Headers) -> Headers:
        for _, value in headers:
            if self._secret in value:
                return tuple((name, self._redact(value)) for name, value in headers)
        return headers

    async def _stream(self, body: Stream) -> Stream:
        held = b""
        async with aclosing(body):
            yield b""
            async for piece in body:
                content = self._redact(held + piece)
                held = self._beginning(content)
                yield content[: len(content) - len(held)]
        yield held

    def _beginning(self, content: bytes) -> bytes:
        """The end of a piece that may be the beginning of the key."""
        for length in range(min(len(self._secret) - 1, len(content)), 0, -1):
            if content.endswith(self._secret[:length]):
                return content[-length:]
        return b""
