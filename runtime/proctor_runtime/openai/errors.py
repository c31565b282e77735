"""Errors in the shape that OpenAI's clients know."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from proctor_runtime.engine.protocol import EngineDeadError
from proctor_runtime.openai.convert import InvalidRequestError
from proctor_runtime.tokenizer import ChatTemplateError


class UnknownModelError(Exception):
    """The request names a model that is not served here."""

    def __init__(self, name: str, served: str) -> None:
        super().__init__(f"the model {name!r} does not exist; served here: {served!r}")


def error_response(status: int, message: str, kind: str, code: str | None = None) -> JSONResponse:
    """Return an error as OpenAI would."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return JSONResponse({"error": error}, status_code=status)


async def on_invalid(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    """Answer a request that is well formed and cannot be served."""
    return error_response(400, str(error), "invalid_request_error")


async def on_malformed(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    """Answer a request that does not fit the schema, naming the fields."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    lines = [f"{'.'.join(map(str, p['loc'][1:])) or 'body'}: {p['msg']}" for p in problems]
    return error_response(400, "; ".join(dict.fromkeys(lines)), "invalid_request_error")


async def on_unknown_model(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    """Answer a request for another model."""
    return error_response(404, str(error), "invalid_request_error", "model_not_found")


async def on_http(request: Request, error: Exception) -> JSONResponse:
    """Answer a request for no such path or method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = f"{getattr(error, 'detail', error)}: {request.method} {request.url.path}"
    return error_response(status, message, "invalid_request_error")


async def on_dead_engine(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    """Answer while the engine is going: another replica may do better."""
    return error_response(503, str(error), "server_error")


async def on_crash(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    """Answer when something broke; the server's log has the trace."""
    return error_response(500, f"{type(error).__name__}: {error}", "server_error")


def install(app: FastAPI) -> None:
    """Let every error leave `app` in OpenAI's shape."""
    for kind, handler in (
        (InvalidRequestError, on_invalid),
        (ChatTemplateError, on_invalid),
        (RequestValidationError, on_malformed),
        (UnknownModelError, on_unknown_model),
        (HTTPException, on_http),
        (EngineDeadError, on_dead_engine),
        (Exception, on_crash),
    ):
        app.add_exception_handler(kind, handler)
