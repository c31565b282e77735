"""``nvcf_request``: asks an NVIDIA Cloud Function, which may answer later.

A function that takes long answers 202 with a request id, by which its status service is asked until
the answer is there.
"""

import asyncio
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.http.incoming import NoAnswerError
from proctor_harness.adapter.messages import (
    Endpoint,
    Interceptor,
    Origin,
    Request,
    Response,
    discard,
    error_response,
    header,
)
from proctor_harness.adapter.openai import is_question
from proctor_harness.adapter.site import Fetch, Site

STATUS_URL = "https://api.nvcf.nvidia.com/v2/nvcf/pexec/status"
FIRST_WAIT_SECONDS = 0.2
POLL_SECONDS = b"nvcf-poll-seconds"


class Config(InterceptorConfig):
    """Fields of ``nvcf_request``; absent ones come from the variables of NVIDIA's own client."""

    fetch_retries: Annotated[int, Field(ge=0)] | None = None
    """Times that the status service is asked again for one answer (NVCF_FETCH_RETRIES, or 10)."""
    status_url: str | None = None
    """The status service (NVCF_STATUS_URL, or NVIDIA's)."""
    poll_seconds: Annotated[int, Field(ge=1)] | None = None
    """Seconds that a function may keep us before it answers 202 (NVCF_POLL_SECONDS, or 60)."""


def build(config: Config, site: Site) -> Interceptor:
    """Ask in this manner."""
    environ = site.environ
    retries = config.fetch_retries or int(environ.get("NVCF_FETCH_RETRIES", "10"))
    seconds = str(config.poll_seconds or environ.get("NVCF_POLL_SECONDS", "60"))
    status_url = config.status_url or environ.get("NVCF_STATUS_URL", STATUS_URL)
    return NvcfRequest(site.fetch, status_url.rstrip("/"), retries, seconds, site.api_key)


class NvcfRequest:
    """The interceptor."""

    def __init__(
        self, fetch: Fetch, status_url: str, retries: int, seconds: str, api_key: str | None
    ) -> None:
        self._fetch = fetch
        self._status_url = status_url
        self._retries = retries
        self._patience = (POLL_SECONDS, seconds.encode())
        authorization = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._headers = {POLL_SECONDS.decode(): seconds, **authorization}

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Ask, and wait for what is not ready."""
        if not is_question(request):
            return await call_next(request)
        response = await call_next(replace(request, headers=(*request.headers, self._patience)))
        for retry in range(self._retries + 1):
            if response.status != 202:
                return response
            await discard(response)
            response = await self._status(header(response.headers, b"nvcf-reqid").decode())
            if response.status == 202:
                await asyncio.sleep(FIRST_WAIT_SECONDS * 2**retry)
        return response if response.status != 202 else _late()

    async def _status(self, request_id: str) -> Response:
        url = f"{self._status_url}/{request_id}"
        try:
            return await self._fetch("GET", url, self._headers, b"")
        except (NoAnswerError, OSError) as error:
            message = f"no answer from {url}: {error}"
            return error_response(502, "upstream_error", message, origin=Origin.NOBODY)


def _late() -> Response:
    message = "the function did not answer in time: raise fetch_retries or poll_seconds"
    return error_response(504, "upstream_error", message, origin=Origin.NOBODY)
