"""The API in front of an engine that continues every character with the next, or by a script."""

from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

from proctor_runtime.engine.batcher import Batcher, OnEvent, OnStart, nobody_listens, nobody_waits
from proctor_runtime.engine.fake import FakeEngine
from proctor_runtime.engine.protocol import (
    Completion,
    EngineInfo,
    GenerateRequest,
    ScoredToken,
    ScoredTokens,
    TokenEvent,
)
from proctor_runtime.openai.answer import ServedModel
from proctor_runtime.openai.api import Api
from proctor_runtime.openai.app import create_app
from proctor_runtime.openai.metering import MeteredQueue
from proctor_runtime.openai.metrics import Metrics
from proctor_runtime.openai.readiness import Readiness
from proctor_runtime.openai.reasoning_parsers import ReasoningParser
from proctor_runtime.openai.service import Service
from proctor_runtime.openai.tool_parsers import ToolParser
from proctor_runtime.openai.traffic import Traffic
from proctor_runtime.tokenizer import Tokenizer
from proctor_runtime.transports.in_process import InProcessTransport
from proctor_runtime.transports.protocol import EngineQueue
from tests.runtime.characters import EOS, CharacterTokenizer

LONGEST = 512
MODEL = "letters"


@dataclass
class Letters:
    """A server of the API, without a socket."""

    queue: EngineQueue
    info: EngineInfo
    tokenizer: Tokenizer = field(default_factory=CharacterTokenizer)
    tool_parser: ToolParser | None = None
    reasoning_parser: ReasoningParser | None = None
    body_limit: int = 1 << 20
    last_token: Callable[[], float] = lambda: float("-inf")
    traffic: Traffic = field(default_factory=Traffic)
    metrics: Metrics = field(default_factory=lambda: Metrics(MODEL, LONGEST))

    @property
    def service(self) -> Service:
        model = ServedModel(
            name=MODEL,
            tokenizer=self.tokenizer,
            info=self.info,
            tool_parser=self.tool_parser,
            reasoning_parser=self.reasoning_parser,
        )
        transport = InProcessTransport(MeteredQueue(self.queue, self.metrics))
        return Service(model=model, transport=transport)

    def app(self) -> FastAPI:
        service = self.service
        return create_app(
            Api(
                service=service,
                readiness=Readiness(service.transport, self.last_token),
                metrics=self.metrics,
                traffic=self.traffic,
                describe=lambda: {"checkpointDigest": "sha256:abc", "servedModelName": MODEL},
                body_limit=self.body_limit,
            )
        )

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        asgi = httpx.ASGITransport(self.app(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=asgi, base_url="http://runtime/v1") as client:
            yield client


def letters(engine: FakeEngine, batcher: Batcher, **fields: Any) -> Letters:
    """Serve the fake engine."""
    server = Letters(batcher, engine.info, last_token=batcher.last_token, **fields)
    server.metrics.watch(engine.info, batcher.stats)
    return server


def batcher_of(engine: FakeEngine, waiting: int = 4096) -> Batcher:
    """Run the fake engine."""
    batcher = Batcher(engine, decode=CharacterTokenizer().decode, max_waiting=waiting)
    batcher.start()
    return batcher


class ScriptedQueue:
    """An engine's queue that says the same to every request, and keeps what it was asked."""

    def __init__(self, text: str, finish: Any = "stop") -> None:
        self.text = text
        self.finish = finish
        self.asked: list[GenerateRequest] = []

    def submit(
        self,
        request: GenerateRequest,
        on_event: OnEvent = nobody_listens,
        on_start: OnStart = nobody_waits,
    ) -> "Future[Completion]":
        """Say it, a character a token, and the end of the text if that is how it ends."""
        self.asked.append(request)
        on_start()
        tokens = [*map(ord, self.text), *([EOS] if self.finish == "stop" else [])]
        rows = [ScoredToken(token, -0.5, ((token, -0.5),)) for token in tokens]
        stop = EOS if self.finish == "stop" else None
        for row in rows[:-1]:
            on_event(TokenEvent(token=row))
        on_event(TokenEvent(token=rows[-1], finish=self.finish, stop=stop))
        future: Future[Completion] = Future()
        scored = ScoredTokens.of(rows)
        future.set_result(
            Completion(tokens=scored, prompt=ScoredTokens(), finish=self.finish, stop=stop)
        )
        return future


def says(text: str, finish: Any = "stop", **fields: Any) -> Letters:
    """Serve an engine that always says `text`."""
    info = FakeEngine(vocab_size=0x110000, max_sequence_length=4096).info
    return Letters(ScriptedQueue(text, finish), info, **fields)


def asked_of(server: Letters) -> Sequence[GenerateRequest]:
    """Return what a scripted engine was asked."""
    assert isinstance(server.queue, ScriptedQueue)
    return server.queue.asked
