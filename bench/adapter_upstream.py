"""`python -m bench.adapter_upstream PORT`: answers every request at once with 700 bytes.

It does not parse HTTP, but only looks for the end of each request, so that it is never what limits.
"""

import asyncio
import json
import sys
from typing import Any, cast

import uvloop

BODY_BYTES = 700


def answer() -> bytes:
    """A chat answer of `BODY_BYTES` bytes, with its head."""
    message = {"role": "assistant", "content": ""}
    usage = {"prompt_tokens": 130, "completion_tokens": 90, "total_tokens": 220}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    found: dict[str, Any] = {
        "id": "cmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [choice],
    }
    found |= {"created": 1_700_000_000, "usage": usage}
    message["content"] = "y" * (BODY_BYTES - len(json.dumps(found)))
    body = json.dumps(found).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


ANSWER = answer()


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._pending += data
        while (size := message_bytes(self._pending)) is not None:
            self._pending = self._pending[size:]
            self._transport.write(ANSWER)


def message_bytes(data: bytes) -> int | None:
    """Length of the message that `data` begins with, if all of it is there."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    length = int(head[at + 17 : at + 30].split(b"\r\n")[0]) if at >= 0 else 0
    size = end + 4 + length
    return size if len(data) >= size else None


async def main(port: int) -> None:
    """Serve for ever."""
    server = await asyncio.get_running_loop().create_server(
        Upstream, "127.0.0.1", port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
