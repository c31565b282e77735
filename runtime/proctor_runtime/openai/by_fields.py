"""The completions API without HTTP: for whoever brings a request's fields by another way."""

import logging
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from proctor_runtime.openai.errors import problem_of
from proctor_runtime.openai.requests import InvalidRequestError
from proctor_runtime.openai.schema.completion import CompletionRequest
from proctor_runtime.openai.service import Service

logger = logging.getLogger(__name__)


async def complete_fields(service: Service, fields: dict[str, Any]) -> dict[str, Any]:
    """Answer a completion request's fields as the route would: with its answer or its error.

    `model` may be left out, for whoever comes this way has named it already.
    """
    try:
        return await complete_at_once(
            service, CompletionRequest.model_validate({"model": service.model.name, **fields})
        )
    except ValidationError as error:
        # Its places lack the word `body` that a route's have.
        errors = [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors()]
        return problem_of(RequestValidationError(errors)).body()
    except Exception as error:
        problem = problem_of(error)
        if problem.status == 500:
            logger.exception("a completion failed")
        return problem.body()


async def complete_at_once(service: Service, request: CompletionRequest) -> dict[str, Any]:
    """Answer a request that does not ask for a stream."""
    if request.stream:
        raise InvalidRequestError("stream=true is not served here, where one answer is all")
    return await service.complete(request)
