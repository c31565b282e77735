"""Errors in the shape that OpenAI's clients know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from proctor_runtime.engine.protocol import EngineDeadError, QueueFullError, RequestTooLargeError
from proctor_runtime.openai.requests import ContextOverflowError, InvalidRequestError
from proctor_runtime.openai.service import UnknownModelError
from proctor_runtime.tokenizer import ChatTemplateError, TextError

RETRY_SECONDS = "1"
"""By then a step or two have made room; a longer queue asks again."""


MOST_PROBLEMS = 8
"""Named in one answer: a list of a million wrong tokens has a million."""


class DrainingError(RuntimeError):
    """The server is about to end, and takes no new requests."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down: another replica, or a later try, will do")


class BodyTooLargeError(HTTPException):
    """The request's body is over the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the request's body is larger than {limit} bytes: send less at once")


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as it is answered."""

    status: int
    message: str
    kind: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """Return OpenAI's error object."""
        # A request may be quoted that was no Unicode.
        message = self.message.encode(errors="replace").decode()
        error = {"message": message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": error}

    def response(self) -> Response:
        """Return it as an answer."""
        content = msgspec.json.encode(self.body())
        headers = dict(self.headers)
        return Response(content, self.status, headers, media_type="application/json")


def problem_of(error: BaseException) -> Problem:
    """Say how an error is answered."""
    for kinds, answer in ANSWERS:
        if isinstance(error, kinds):
            return answer(error)
    return Problem(500, f"{type(error).__name__}: {error}", "server_error")


def overflow(error: Exception) -> Problem:
    """Answer a request that is too long for the model."""
    return Problem(400, str(error), code="context_length_exceeded")


def invalid(error: Exception) -> Problem:
    """Answer a request that is well formed and cannot be served."""
    return Problem(400, str(error))


def unknown_model(error: Exception) -> Problem:
    """Answer a request for another model."""
    return Problem(404, str(error), param="model", code="model_not_found")


def full(error: Exception) -> Problem:
    """Answer while too many wait."""
    headers = {"Retry-After": RETRY_SECONDS}
    return Problem(429, str(error), "rate_limit_error", code="queue_full", headers=headers)


def unavailable(error: Exception) -> Problem:
    """Answer while the server or its engine is going: another replica may do better."""
    headers = {"Retry-After": RETRY_SECONDS}
    return Problem(503, str(error), "server_error", code="unavailable", headers=headers)


def http(error: HTTPException) -> Problem:
    """Answer a request for no such path or method."""
    kind = "invalid_request_error" if error.status_code < 500 else "server_error"
    return Problem(error.status_code, error.detail, kind, headers=error.headers or {})


def malformed(error: RequestValidationError) -> Problem:
    """Answer a request that does not fit the schema, naming the fields."""
    problems = error.errors()[:MOST_PROBLEMS]
    places = [".".join(str(part) for part in problem["loc"][1:]) for problem in problems]
    lines = [
        f"{place or 'body'}: {problem['msg']}"
        for place, problem in zip(places, problems, strict=True)
    ]
    return Problem(400, "; ".join(dict.fromkeys(lines)), param=next(filter(None, places), None))


ANSWERS: tuple[tuple[tuple[type[Exception], ...], Callable[[Any], Problem]], ...] = (
    ((RequestValidationError,), malformed),
    ((ContextOverflowError,), overflow),
    ((InvalidRequestError, RequestTooLargeError, ChatTemplateError, TextError), invalid),
    ((UnknownModelError,), unknown_model),
    ((QueueFullError,), full),
    ((DrainingError, EngineDeadError), unavailable),
    ((HTTPException,), http),
)
"""The first that fits answers."""


async def on_error(request: Request, error: Exception) -> Response:
    """Answer any error."""
    problem = problem_of(error)
    if type(error) is HTTPException:
        where = f"{problem.message}: {request.method} {request.url.path}"
        problem = Problem(problem.status, where, problem.kind, headers=problem.headers)
    return problem.response()


def install(app: FastAPI) -> None:
    """Let every error leave `app` in OpenAI's shape."""
    for kind in (*(kind for kinds, _ in ANSWERS for kind in kinds), Exception):
        app.add_exception_handler(kind, on_error)
