"""``raise_client_errors``: a question that the target refuses ends the evaluation.

From then on every request gets the same error at once, so that the harness ends too; the driver
reads from ``/progress`` why, and scores nothing.
"""

import logging
from collections.abc import Callable

from pydantic import model_validator

from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.errors import RefusedError
from proctor_harness.adapter.logs import shown_body
from proctor_harness.adapter.messages import Endpoint, Interceptor, Request, Response, whole
from proctor_harness.adapter.site import Site

CODE = "client_error_raised"

logger = logging.getLogger(__name__)


class Config(InterceptorConfig):
    """Fields of ``raise_client_errors``."""

    exclude_status_codes: list[int] | None = [408, 429]
    """Statuses that may pass although they lie in the range."""
    status_codes: list[int] | None = None
    """Statuses that end the evaluation wherever they lie."""
    status_code_range_start: int | None = 400
    """First status that ends the evaluation."""
    status_code_range_end: int | None = 499
    """Last status that ends the evaluation."""

    @model_validator(mode="after")
    def _consistent(self) -> "Config":
        both = set(self.exclude_status_codes or ()) & set(self.status_codes or ())
        if both:
            raise ValueError(f"{sorted(both)} cannot be in status_codes and exclude_status_codes")
        first, last = self.status_code_range_start, self.status_code_range_end
        if first and last and first >= last:
            raise ValueError(f"[{first}, {last}] is not a range of statuses")
        return self


def build(config: Config, _: Site) -> Interceptor:
    """Watch for a refusal."""
    return RaiseClientErrors(lambda status: ends(config, status))


def ends(config: Config, status: int) -> bool:
    """Whether this status ends the evaluation."""
    if status in (config.status_codes or ()):
        return True
    if status in (config.exclude_status_codes or ()):
        return False
    first, last = config.status_code_range_start, config.status_code_range_end
    if not first and not last:
        return False
    return (first or 0) <= status <= (last or 999)


class RaiseClientErrors:
    """The interceptor."""

    def __init__(self, ends: Callable[[int], bool]) -> None:
        self._ends = ends
        self._ended: str | None = None

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Pass on until the first refusal."""
        if self._ended:
            raise RefusedError(500, CODE, self._ended)
        response = await call_next(request)
        if not self._ends(response.status):
            return response
        response = await whole(response)
        assert isinstance(response.body, Content)  # noqa: S101 - whole() says so
        said = shown_body(response.body, 500)
        self._ended = f"the target answered {response.status}, which ends the evaluation: {said}"
        logger.critical("%s", self._ended)
        raise RefusedError(500, CODE, self._ended)
