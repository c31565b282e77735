"""The HTTP application: routes, and nothing else."""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from proctor_runtime.openai import errors
from proctor_runtime.openai.readiness import Readiness
from proctor_runtime.openai.schema import (
    ChatCompletionRequest,
    CompletionRequest,
    DetokenizeRequest,
    TokenizeRequest,
)
from proctor_runtime.openai.service import Service


def create_app(service: Service, readiness: Readiness) -> FastAPI:
    """Return the OpenAI API in front of one model."""
    app = FastAPI(title="Proctor runtime", docs_url=None, redoc_url=None)
    errors.install(app)
    add_completions(app, service)
    add_tokenizer(app, service)
    add_health(app, service, readiness)
    return app


def add_completions(app: FastAPI, service: Service) -> None:
    """Add the two routes that generate."""

    # JSONResponse as it is: FastAPI would walk through every log-probability once more.
    @app.post("/v1/completions")
    async def completions(request: CompletionRequest) -> JSONResponse:
        return JSONResponse(await service.complete(request))

    @app.post("/v1/chat/completions")
    async def chat_completions(request: ChatCompletionRequest) -> JSONResponse:
        return JSONResponse(await service.chat(request))


def add_tokenizer(app: FastAPI, service: Service) -> None:
    """Add what stock lm-eval's remote tokenizer asks, so clients need no tokenizer files."""
    tokenizer = service.tokenizer

    @app.get("/tokenizer_info")
    async def tokenizer_info() -> dict[str, Any]:
        return {**tokenizer.special, "chat_template": tokenizer.chat_template}

    @app.post("/tokenize")
    async def tokenize(request: TokenizeRequest) -> dict[str, Any]:
        special = request.add_special_tokens
        tokens = tokenizer.encode(request.prompt, add_special_tokens=special)
        longest = service.info.max_sequence_length
        return {"tokens": tokens, "count": len(tokens), "max_model_len": longest}

    @app.post("/detokenize")
    async def detokenize(request: DetokenizeRequest) -> dict[str, str]:
        return {"prompt": tokenizer.decode(request.tokens, skip_special_tokens=False)}


def add_health(app: FastAPI, service: Service, readiness: Readiness) -> None:
    """Add what probes and the operator ask."""

    @app.get("/v1/health")
    async def health() -> JSONResponse:
        if service.transport.is_alive():
            return JSONResponse({"status": "alive"})
        return JSONResponse({"status": "dead"}, status_code=503)

    @app.get("/v1/health/ready")
    async def ready() -> JSONResponse:
        if await readiness.check():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready"}, status_code=503)

    @app.get("/v1/engine")
    async def engine() -> dict[str, Any]:
        return service.describe()

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        longest = service.info.max_sequence_length
        model = {"id": service.name, "object": "model", "created": 0, "owned_by": "proctor"}
        return {"object": "list", "data": [{**model, "max_model_len": longest}]}
