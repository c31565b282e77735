"""``request_logging``: logs what the harness asks."""

import logging
from collections.abc import Collection

from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.logs import shown_body, shown_headers
from proctor_harness.adapter.messages import Endpoint, Interceptor, Request, Response
from proctor_harness.adapter.site import Site

logger = logging.getLogger(__name__)


class Config(InterceptorConfig):
    """Fields of ``request_logging``."""

    log_request_body: bool = True
    """Log the body."""
    log_request_headers: bool = True
    """Log the headers, without credentials."""
    max_requests: int | None = 2
    """Most requests to log; null for all."""
    output_dir: str | None = None
    """Accepted and without effect: the log is the container's."""


def build(config: Config, site: Site) -> Interceptor:
    """Log the first requests."""
    return RequestLogging(config, site.secrets)


class RequestLogging:
    """The interceptor."""

    def __init__(self, config: Config, secrets: Collection[bytes]) -> None:
        self._config = config
        self._secrets = secrets
        self._logged = 0

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Log, and pass on."""
        most = self._config.max_requests
        if most is None or self._logged < most:
            self._logged += 1
            logger.info("request %s", self._words(request))
        return await call_next(request)

    def _words(self, request: Request) -> str:
        words = f"{request.method} {request.target}"
        if self._config.log_request_headers:
            words += f" headers={shown_headers(request.headers, self._secrets)}"
        if self._config.log_request_body:
            words += f" body={shown_body(request.body)}"
        return words
