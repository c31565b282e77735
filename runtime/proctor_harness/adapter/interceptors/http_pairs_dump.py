"""``http_pairs_dump``: the first questions and answers, all failed ones, and counts by status."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.logs import readable, shown_headers
from proctor_harness.adapter.messages import Endpoint, Headers, Interceptor, Request, Response
from proctor_harness.adapter.openai import is_question
from proctor_harness.adapter.rewrite import watched
from proctor_harness.adapter.site import Site

MOST_FAILED = 1000
"""A target that is down fails without end; the file does not grow without end."""


class Config(InterceptorConfig):
    """Fields of ``http_pairs_dump``."""

    dump_path: str
    """The file, inside the artifacts."""
    first_n: Annotated[int, Field(ge=0)] = 50
    """Pairs that are kept whatever their status."""


def build(config: Config, site: Site) -> Interceptor:
    """Declare the file."""
    return HttpPairsDump(config, site)


class HttpPairsDump:
    """The interceptor."""

    def __init__(self, config: Config, site: Site) -> None:
        self._first_n = config.first_n
        self._shown = partial(shown_headers, secrets=site.secrets)
        self._statuses: Counter[str] = Counter()
        self._pairs: list[dict[str, Any]] = []
        self._failed = 0
        self._file = site.disk.snapshot(site.path(config.dump_path), self._render)

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Pass on, and keep what is worth keeping."""
        if not is_question(request):
            return await call_next(request)
        started = time.perf_counter()
        return await watched(await call_next(request), partial(self._see, request, started))

    def _see(self, request: Request, started: float, response: Response, body: Content) -> None:
        early = self._statuses.total() < self._first_n
        self._statuses[str(response.status)] += 1
        failed = response.status != 200 and self._failed < MOST_FAILED
        if early or failed:
            self._failed += response.status != 200
            milliseconds = round((time.perf_counter() - started) * 1000, 2)
            self._pairs.append(pair(request, response, body, milliseconds, self._shown))
        self._file.touch()

    def _render(self) -> bytes:
        return json.dumps({"metrics": self._statuses, "pairs": self._pairs}).encode()


def pair(
    request: Request,
    response: Response,
    body: Content,
    milliseconds: float,
    shown: Callable[[Headers], dict[str, str]],
) -> dict[str, Any]:
    """A question with its answer, without credentials."""
    found: dict[str, Any] = {
        "request_id": uuid.uuid4().hex[:12],
        "request": {"headers": shown(request.headers), "body": readable(request.body)},
        "response": {
            "status": response.status,
            "headers": shown(response.headers),
            "body": readable(body),
            "latency_ms": milliseconds,
        },
    }
    return found | ({"session_id": request.session} if request.session else {})
