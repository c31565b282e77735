"""``progress_tracking``: tells a web service how many requests are answered.

It never keeps a request waiting: a task of its own sends the newest count, and skips those that
grew old while the service was slow.
"""

import asyncio
import contextlib
import json
import logging
from string import Template
from typing import Annotated

from pydantic import Field

from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.disk import Snapshot
from proctor_harness.adapter.http.incoming import NoAnswerError
from proctor_harness.adapter.messages import Endpoint, Interceptor, Origin, Request, Response
from proctor_harness.adapter.openai import is_question
from proctor_harness.adapter.rewrite import watched
from proctor_harness.adapter.site import Fetch, Site

PROGRESS_FILE = "progress"

logger = logging.getLogger(__name__)


class Config(InterceptorConfig):
    """Fields of ``progress_tracking``."""

    progress_tracking_url: str | None = "http://localhost:8000"
    """Who is told ``{"samples_processed": n}``; variables of the environment are expanded."""
    progress_tracking_interval: Annotated[int, Field(gt=0)] = 1
    """Requests between two messages."""
    progress_tracking_interval_seconds: Annotated[float, Field(gt=0)] | None = None
    """Also tell after so many seconds, if there is news."""
    request_method: str = "PATCH"
    """HTTP method of the message."""
    output_dir: str | None = None
    """Directory, inside the artifacts, of a file with the count; a restart counts on from it."""
    webhook_url: str | None = None
    """Newer generation: who is told ``{"completed": n}``, by POST."""
    every: Annotated[int, Field(gt=0)] = 10
    """Newer generation: requests between two messages."""


def build(config: Config, site: Site) -> Interceptor:
    """Begin to tell."""
    tracking = ProgressTracking(config, site)
    site.finishers.append(tracking.finish)
    return tracking


class ProgressTracking:
    """The interceptor."""

    def __init__(self, config: Config, site: Site) -> None:
        newer = config.webhook_url is not None
        url = config.webhook_url or config.progress_tracking_url
        self._shown = url
        self._url = Template(url).safe_substitute(site.environ) if url else None
        self._method = "POST" if newer else config.request_method
        self._word = "completed" if newer else "samples_processed"
        self._every = config.every if newer else config.progress_tracking_interval
        self._seconds = config.progress_tracking_interval_seconds
        self._fetch: Fetch = site.fetch
        self._file, self._count = _file(self, config, site)
        self._told = self._count
        self._due = asyncio.Event()
        self._teller = asyncio.create_task(self._tell_forever())

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Pass on, and count answers that were paid for now."""
        response = await call_next(request)
        if response.origin is not Origin.TARGET or response.status != 200:
            return response
        return await watched(response, self._see) if is_question(request) else response

    def _see(self, _: Response, __: Content) -> None:
        self._count += 1
        if self._file:
            self._file.touch()
        if self._count % self._every == 0:
            self._due.set()

    def render(self) -> bytes:
        """The file's content."""
        return str(self._count).encode()

    async def _tell_forever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._due.wait()
            self._due.clear()
            await self._tell()

    async def _tell(self) -> None:
        count = self._count
        if self._url is None or count == self._told:
            return
        headers = {"content-type": "application/json"}
        body = json.dumps({self._word: count}).encode()
        try:
            response = await self._fetch(self._method, self._url, headers, body)
        except (NoAnswerError, OSError) as error:
            logger.warning("%s was not told of %d requests: %s", self._shown, count, error)
            return
        if response.status >= 300:
            logger.warning("%s answers %d to progress", self._shown, response.status)
        self._told = count

    async def finish(self) -> None:
        """Tell the last count."""
        await self._tell()


def _file(tracking: ProgressTracking, config: Config, site: Site) -> tuple[Snapshot | None, int]:
    if config.output_dir is None:
        return None, 0
    path = site.path(config.output_dir) / PROGRESS_FILE
    counted = path.read_text() if path.exists() else ""
    count = int(counted) if counted.strip().isdigit() else 0
    return site.disk.snapshot(path, tracking.render), count
