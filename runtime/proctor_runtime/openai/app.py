"""The HTTP application: its layers and its routes."""

from typing import Any

from fastapi import FastAPI, Request, Response

from proctor_runtime.openai import errors
from proctor_runtime.openai.api import Api
from proctor_runtime.openai.health_routes import health_routes
from proctor_runtime.openai.metering import HttpMeter
from proctor_runtime.openai.schema.chat import ChatCompletionRequest
from proctor_runtime.openai.schema.completion import CompletionRequest
from proctor_runtime.openai.service import Service
from proctor_runtime.openai.sse import event_stream, json_answer
from proctor_runtime.openai.tokenizer_routes import tokenizer_routes
from proctor_runtime.openai.traffic import BodyLimit, Gate

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request cannot be served as it is"},
    404: {"description": "Another model is served"},
    413: {"description": "The body is too large"},
    429: {"description": "The queue is full: ask again after `Retry-After` seconds"},
    503: {"description": "The server is ending, or its engine is dead"},
}


def create_app(api: Api) -> FastAPI:
    """Return the application."""
    app = FastAPI(title="Proctor runtime", docs_url=None, redoc_url=None)
    errors.install(app)
    add_completions(app, api.service)
    app.include_router(tokenizer_routes(api.service.model))
    app.include_router(health_routes(api))
    # The last added is the outermost.
    app.add_middleware(BodyLimit, limit=api.body_limit)
    app.add_middleware(Gate, traffic=api.traffic)
    app.add_middleware(HttpMeter, metrics=api.metrics)
    return app


def add_completions(app: FastAPI, service: Service) -> None:
    """Add the two routes that generate."""

    @app.post("/v1/completions", responses=ERRORS, response_class=Response)
    async def completions(body: CompletionRequest, request: Request) -> Response:
        if body.stream:
            return await event_stream(request, service.stream_completion(body))
        return await json_answer(request, service.complete(body))

    @app.post("/v1/chat/completions", responses=ERRORS, response_class=Response)
    async def chat_completions(body: ChatCompletionRequest, request: Request) -> Response:
        if body.stream:
            return await event_stream(request, service.stream_chat(body))
        return await json_answer(request, service.chat(body))
