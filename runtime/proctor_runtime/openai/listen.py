"""Listening for HTTP until a signal, and then until what has been asked is answered."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from proctor_runtime.openai.api import Api
from proctor_runtime.openai.app import create_app
from proctor_runtime.openai.traffic import Traffic

DRAIN_SECONDS = 20.0
"""For requests under way; less than a pod's usual grace period of 30."""

CLOSE_SECONDS = 5
"""For connections to close once nothing is under way."""

KEPT_SECONDS = 75
"""For an idle connection: longer than clients keep theirs (httpx 5, aiohttp 15) and balancers (60).

Whoever closes first races with the next request, and a client does not ask again what may have been
asked already: with uvicorn's 5 seconds, evaluations met connections that ended without an answer.
"""


class DrainingServer(uvicorn.Server):
    """On the first signal turns new requests away with 503; ends when the others are answered.

    Until then it goes on listening: balancers hear of the end late, and a refused connection tells
    a client less than an answer.
    """

    def __init__(self, config: uvicorn.Config, traffic: Traffic) -> None:
        super().__init__(config)
        self._traffic = traffic
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Future[None] | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Start to listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, end at the second."""
        if self._loop is None or self._traffic.draining:
            super().handle_exit(sig, frame)
            return
        self._traffic.draining = True
        self._loop.call_soon_threadsafe(self._drain, sig, frame)

    def _drain(self, sig: int, frame: FrameType | None) -> None:
        self._draining = asyncio.ensure_future(self._traffic.drain(DRAIN_SECONDS))
        end = super().handle_exit
        self._draining.add_done_callback(lambda _: end(sig, frame))


def listen(api: Api, *, host: str, port: int) -> None:
    """Answer HTTP until SIGTERM, and then what has been asked by then."""
    app = create_app(api)
    # uvicorn raises the signal again when it has drained; there is nothing left to do then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await api.service.transport.close()

    app.router.lifespan_context = lifespan
    DrainingServer(configuration(app, host=host, port=port), api.traffic).run()


def configuration(app: FastAPI, *, host: str, port: int) -> uvicorn.Config:
    """How HTTP is spoken."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEPT_SECONDS,
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )
