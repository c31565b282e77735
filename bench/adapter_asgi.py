"""`python -m bench.adapter_asgi PORT`: the same answer by uvicorn, as real servers are made.

`adapter_upstream` is a socket that answers, faster than any HTTP server is. What an adapter costs
is told beside one that parses requests and frames responses.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

from bench.adapter_upstream import ANSWER

BODY = ANSWER.split(b"\r\n\r\n", 1)[1]
START: dict[str, Any] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))],
}

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(_scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Read the request, and answer."""
    while (await receive()).get("more_body"):
        continue
    await send(START)
    await send({"type": "http.response.body", "body": BODY})


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        backlog=4096,
    )
