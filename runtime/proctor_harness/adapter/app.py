"""The adapter: its own few pages, and everything else through the chain to the target."""

import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from pydantic import ValidationError

from proctor_harness.adapter import target_page
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.item_log import ItemLog
from proctor_harness.adapter.messages import (
    Endpoint,
    Headers,
    Interceptor,
    Origin,
    Request,
    Response,
    compose,
    error_response,
)
from proctor_harness.adapter.metrics import Metrics
from proctor_harness.adapter.probe import Probed, Wanted, probe
from proctor_harness.adapter.progress import Announcement, Progress
from proctor_harness.adapter.redact import Redaction, is_secret
from proctor_harness.adapter.traffic import Observer
from proctor_harness.adapter.upstream import authorization, bearing, from_client

SESSION = re.compile(r"/s/([0-9a-f]+)(/.*)")


class Adapter:
    """Answers every request of the harness."""

    def __init__(  # noqa: PLR0913  its parts, each by its name
        self,
        interceptors: Sequence[Interceptor],
        upstream: Endpoint,
        item_log: ItemLog,
        finish: Callable[[], Awaitable[None]],
        *,
        key: str | None = None,
        at_target: Headers = (),
        rewrites: bool = False,
    ) -> None:
        self._progress = Progress()
        self._metrics = Metrics()
        observer = Observer([self._progress.record, self._metrics.record, item_log.record])
        self._forward = compose([observer, *interceptors], upstream)
        self._finish = finish
        self._authorization = authorization(key)
        # A server that refuses a question may quote the key that it was sent.
        blotted = [Redaction(key)] if key and is_secret(key) else []
        self._direct = compose([bearing(at_target), *blotted], upstream)
        self._keyed = bool(at_target)
        self._rewrites = rewrites
        self._pages: dict[tuple[str, str], Endpoint] = {
            ("GET", "/healthz"): self._healthz,
            ("GET", "/progress"): self._show_progress,
            ("POST", "/progress"): self._announce,
            ("GET", "/target"): self._look_at_target,
            ("POST", "/target"): self._probe_target,
            ("GET", "/metrics"): self._show_metrics,
            ("POST", "/adapterserver/run-post-hook"): self._run_post_hook,
        }

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        page = self._pages.get((request.method, request.target))
        return await (
            page(request) if page else self._forward(addressed(request, self._authorization))
        )

    async def _healthz(self, _: Request) -> Response:
        return _page("text/plain", b"ok")

    async def _show_progress(self, _: Request) -> Response:
        content = self._progress.snapshot().model_dump_json(by_alias=True).encode()
        return _page("application/json", content)

    async def _announce(self, request: Request) -> Response:
        try:
            announcement = Announcement.model_validate_json(request.body.raw)
        except ValidationError as error:
            return error_response(HTTPStatus.BAD_REQUEST, "invalid_request_error", str(error))
        self._progress.total = announcement.total
        return await self._show_progress(request)

    async def _look_at_target(self, _: Request) -> Response:
        seen = await target_page.look(self._direct, keyed=self._keyed)
        return _page("application/json", seen.model_dump_json(by_alias=True).encode())

    async def _probe_target(self, request: Request) -> Response:
        try:
            wanted = Wanted.model_validate_json(request.body.raw)
        except ValidationError as error:
            return error_response(HTTPStatus.BAD_REQUEST, "invalid_request_error", str(error))
        # What an interceptor makes of a question may be what the target needs.
        probed = Probed(status=0) if self._rewrites else await probe(self._direct, wanted)
        return _page("application/json", probed.model_dump_json(by_alias=True).encode())

    async def _show_metrics(self, _: Request) -> Response:
        content = self._metrics.exposition(self._progress.snapshot()).encode()
        return _page("text/plain; version=0.0.4", content)

    async def _run_post_hook(self, _: Request) -> Response:
        await self._finish()
        return _page("application/json", b'{"status": "success"}')


def addressed(request: Request, authorization: Headers = ()) -> Request:
    """The request as it is meant for the target: without what was said to the adapter.

    With the key, so that the chain may remove or rename its header.
    """
    session, target = None, request.target
    if target.startswith("/s/") and (found := SESSION.fullmatch(target)):
        session, target = found.groups()
    headers = from_client(request.headers) + authorization
    return Request(request.method, target, headers, request.body, session)


def _page(content_type: str, content: bytes) -> Response:
    headers = ((b"content-type", content_type.encode()),)
    return Response(HTTPStatus.OK, headers, Content(content), Origin.ADAPTER)
