"""``response_logging``: logs what is answered."""

import logging
from collections.abc import Collection

from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.logs import shown_body, shown_headers
from proctor_harness.adapter.messages import Endpoint, Interceptor, Request, Response
from proctor_harness.adapter.rewrite import watched
from proctor_harness.adapter.site import Site

logger = logging.getLogger(__name__)


class Config(InterceptorConfig):
    """Fields of ``response_logging``."""

    log_response_body: bool = True
    """Log the body."""
    log_response_headers: bool = True
    """Log the headers, without credentials."""
    max_responses: int | None = None
    """Most responses to log; null for all."""
    output_dir: str | None = None
    """Accepted and without effect: the log is the container's."""


def build(config: Config, site: Site) -> Interceptor:
    """Log the first responses."""
    return ResponseLogging(config, site.secrets)


class ResponseLogging:
    """The interceptor."""

    def __init__(self, config: Config, secrets: Collection[bytes]) -> None:
        self._config = config
        self._secrets = secrets
        self._logged = 0

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Pass on, and log what comes back."""
        response = await call_next(request)
        most = self._config.max_responses
        if most is not None and self._logged >= most:
            return response
        self._logged += 1
        return await watched(response, self._log)

    def _log(self, response: Response, body: Content) -> None:
        words = str(response.status)
        if self._config.log_response_headers:
            words += f" headers={shown_headers(response.headers, self._secrets)}"
        if self._config.log_response_body:
            words += f" body={shown_body(body)}"
        logger.info("response %s", words)
