"""A deterministic OpenAI-compatible server, for fault injection: its bytes are its tokens.

A token's log-probability is a fixed function of it and its predecessor, so scores do not depend on
who asks, in which order, or through what.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.runtime.harness.packages.scripted_api import looks_ahead

EOS = "\x00"


@dataclass
class ModelServer:
    """What the server has seen, and how it is to misbehave."""

    url: str = ""
    fail_after: int | None = None
    """Completions that succeed before every other one gets `fail_status`."""
    fail_times: int | None = None
    fail_status: int = 500
    fail_body: str = '{"error": {"message": "injected"}}'
    fail_headers: dict[str, str] = field(default_factory=dict)
    message: dict[str, Any] | None = None
    """What every chat answer's message holds, in place of the sum."""
    chunked: bool = False
    """Whether chat answers come piece by piece, their length unknown."""
    delay_seconds: float = 0.0
    in_flight: int = 0
    most_in_flight: int = 0
    seen: list[Any] = field(default_factory=list)
    probes: list[Any] = field(default_factory=list)
    """What was asked before the evaluation, to see whether it can be."""
    headers: list[dict[str, str]] = field(default_factory=list)
    cancelled: int = 0

    def failure(self) -> Response | None:
        if self.fail_after is None or len(self.seen) <= self.fail_after:
            return None
        if self.fail_times is not None:
            self.fail_times -= 1
            if self.fail_times < 0:
                return None
        return Response(self.fail_body, self.fail_status, self.fail_headers)


def logprob(previous: int, token: int) -> float:
    return -((previous * 31 + token * 17) % 97 + 1) / 25


def scored(tokens: list[int], generated: int) -> dict[str, Any]:
    pairs = pairwise(tokens)
    values = [None, *(logprob(a, b) for a, b in pairs), *[-0.5] * generated]
    top = [None if v is None else {"t": v, "best": max(v, -0.4)} for v in values]
    return {"token_logprobs": values, "top_logprobs": top}


def as_prompts(prompt: Any) -> list[list[int]]:
    batch = prompt if isinstance(prompt, list) and not isinstance(prompt[0], int) else [prompt]
    return [list(p.encode()) if isinstance(p, str) else p for p in batch]


def generate(tokens: list[int]) -> str:
    """Answer the sum that the prompt asks for: "Q: 1+2\\nA:" gives " 3"."""
    question = bytes(tokens).decode().rsplit("Q: ", 1)[-1].split("\n")[0]
    return f" {sum(int(n) for n in question.split('+'))}"


async def tell_key(request: Request) -> Response:
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    if request.query_params.get("stream"):
        said = json.dumps({"choices": [{"text": f"wrong key {key}!", "finish_reason": "stop"}]})
        half = said.index(key) + 7
        halves = [f"data: {said[:half]}", f"{said[half:]}\n\n"]
        return StreamingResponse(iter(halves), media_type="text/event-stream")
    error = {"error": {"message": f"Incorrect API key provided: {key}"}}
    return JSONResponse(error, 401, {"x-key": key})


def in_chunks(whole: JSONResponse) -> Response:
    """The same answer in two pieces, with a while between them."""

    async def halves() -> AsyncIterator[bytes]:
        raw = bytes(whole.body)
        yield raw[: len(raw) // 2]
        await asyncio.sleep(0.05)
        yield raw[len(raw) // 2 :]

    return StreamingResponse(halves(), media_type=whole.media_type)


async def tokenizer_info(_: Request) -> Response:
    return JSONResponse({"eos_token": EOS, "bos_token": None, "chat_template": None})


async def tokenize(request: Request) -> Response:
    return JSONResponse({"tokens": list((await request.json())["prompt"].encode())})


Handler = Callable[[Request], Awaitable[Response]]


def apart(state: ModelServer, handler: Handler) -> Handler:
    """Answer the driver's look ahead, which is no question of the evaluation."""

    async def handle(request: Request) -> Response:
        if not looks_ahead(request):
            return await handler(request)
        body = await request.json()
        state.probes.append(body)
        tokens = list(body.get("prompt", "").encode())
        scores = {"logprobs": scored(tokens, 1)} if body.get("echo") else {}
        return JSONResponse({"choices": [{"index": 0, "message": {"content": "A"}, **scores}]})

    return handle


def build(state: ModelServer) -> Starlette:
    async def completions(request: Request) -> Response:
        body = await request.json()
        state.seen.append(body)
        state.headers.append(dict(request.headers))
        state.in_flight += 1
        state.most_in_flight = max(state.most_in_flight, state.in_flight)
        try:
            await asyncio.sleep(state.delay_seconds)
        finally:
            state.in_flight -= 1
        if failed := state.failure():
            return failed
        prompts = as_prompts(body["prompt"])
        choices = [completion(i, p, body) for i, p in enumerate(prompts)]
        usage = {"prompt_tokens": sum(map(len, prompts)), "completion_tokens": len(prompts)}
        # No two answers are the same, so that one given twice is seen.
        return JSONResponse({"id": len(state.seen), "choices": choices, "usage": usage})

    async def chat(request: Request) -> Response:
        body = await request.json()
        state.seen.append(body)
        state.headers.append(dict(request.headers))
        said = [message["content"] for message in body["messages"] if message["role"] == "user"]
        text = generate(list(said[-1].encode()))
        message = {"role": "assistant", "content": text} | (state.message or {})
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = JSONResponse({"id": len(state.seen), "choices": [choice]})
        return in_chunks(answer) if state.chunked else answer

    async def stream(request: Request) -> Response:
        async def events() -> AsyncIterator[str]:
            try:
                for i in range(3):
                    choice = {"index": 0, "text": str(i), "finish_reason": None}
                    yield f"data: {json.dumps({'choices': [choice], 'usage': None})}\n\n"
                    await asyncio.sleep(0.2)
                usage = {"choices": [], "usage": {"completion_tokens": 3}}
                yield f"data: {json.dumps(usage)}\n\ndata: [DONE]\n\n"
            except asyncio.CancelledError:
                state.cancelled += 1
                raise

        return StreamingResponse(events(), media_type="text/event-stream")

    async def broken(request: Request) -> Response:
        async def events() -> AsyncIterator[str]:
            yield "data: 1\n\n"
            await asyncio.sleep(0.05)
            raise ConnectionAbortedError

        return StreamingResponse(events(), media_type="text/event-stream")

    async def slow(request: Request) -> Response:
        await request.body()
        while (await request.receive())["type"] != "http.disconnect":
            continue
        state.cancelled += 1
        return Response()

    async def echo(request: Request) -> Response:
        content = await request.body()
        headers = {"x-seen": json.dumps(dict(request.headers)), "x-length": str(len(content))}
        headers |= {"x-target": request.url.path + "?" + request.url.query}
        return Response(content[:1000], int(request.query_params.get("status", "201")), headers)

    return Starlette(
        routes=[
            Route("/v1/completions", apart(state, completions), methods=["POST"]),
            Route("/v1/chat/completions", apart(state, chat), methods=["POST"]),
            Route("/v1/stream/completions", stream, methods=["POST"]),
            Route("/v1/tell/completions", tell_key, methods=["POST"]),
            Route("/v1/broken", broken, methods=["POST"]),
            Route("/v1/slow", slow, methods=["POST"]),
            Route("/v1/echo", echo, methods=["GET", "POST", "DELETE"]),
            Route("/tokenizer_info", tokenizer_info),
            Route("/tokenize", tokenize, methods=["POST"]),
        ]
    )


def completion(index: int, tokens: list[int], body: dict[str, Any]) -> dict[str, Any]:
    if body.get("echo"):
        return {"index": index, "text": "", "logprobs": scored(tokens, body["max_tokens"])}
    return {"index": index, "text": generate(tokens)}


@contextlib.contextmanager
def serving(state: ModelServer, **tls: Path) -> Iterator[ModelServer]:
    """Serve on a free port from a thread; over TLS with `ssl_keyfile` and `ssl_certfile`."""
    with listening(build(state), **tls) as state.url:
        yield state


@contextlib.contextmanager
def listening(app: Starlette, **tls: Path) -> Iterator[str]:
    """Serve an application from a thread; gives its address."""
    config = uvicorn.Config(app, port=0, log_level="critical", ws="none", **tls)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    scheme = "https" if tls else "http"
    try:
        yield f"{scheme}://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.force_exit = True
        server.should_exit = True
        thread.join()
