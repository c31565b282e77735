"""What probes, the operator and dashboards ask."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from proctor_runtime.openai.api import Api
from proctor_runtime.openai.service import Service, UnknownModelError

BAD: dict[int | str, dict[str, Any]] = {503: {"description": "It is not"}}


def health_routes(api: Api) -> APIRouter:
    """Return the routes."""
    service = api.service
    router = APIRouter()

    @router.get("/v1/health", responses=BAD)
    async def health() -> JSONResponse:
        return verdict("alive", "dead", good=service.transport.is_alive())

    @router.get("/v1/health/ready", responses=BAD)
    async def ready() -> JSONResponse:
        good = not api.traffic.draining and await api.readiness.check()
        return verdict("ready", "not ready", good=good)

    @router.get("/v1/triton_health", responses={**BAD, 404: {"description": "There is no Triton"}})
    async def triton_health() -> JSONResponse:
        if service.transport.name != "triton":
            raise HTTPException(404, "this server has no Triton: its transport is in-process")
        return verdict("ready", "not ready", good=await service.transport.is_ready())

    @router.get("/v1/engine")
    async def engine() -> dict[str, Any]:
        return api.describe()

    @router.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [model_card(service)]}

    @router.get("/v1/models/{name:path}", responses={404: {"description": "Another is served"}})
    async def model(name: str) -> dict[str, Any]:
        if name != service.model.name:
            raise UnknownModelError(name, service.model.name)
        return model_card(service)

    @router.get("/metrics", response_class=Response)
    async def exposition(request: Request) -> Response:
        content, content_type = api.metrics.exposition(request.headers.get("accept"))
        return Response(content, media_type=content_type)

    return router


def verdict(yes: str, no: str, *, good: bool) -> JSONResponse:
    """Return a probe's answer."""
    return JSONResponse({"status": yes if good else no}, status_code=200 if good else 503)


def model_card(service: Service) -> dict[str, Any]:
    """Describe the model as OpenAI and vLLM do."""
    name = service.model.name
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "proctor",
        "root": name,
        "parent": None,
        "max_model_len": service.model.info.max_sequence_length,
    }
