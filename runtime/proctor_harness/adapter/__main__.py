"""``python -m proctor_harness.adapter``: the native sidecar of an evaluation's pod."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import uvloop

from proctor_crds.wire import EXIT_REJECTED, Failure, termination_limit
from proctor_harness import termination
from proctor_harness.adapter import chain
from proctor_harness.adapter.app import Adapter
from proctor_harness.adapter.beginning import BeginningError, beginning
from proctor_harness.adapter.configuration import ConfigurationError
from proctor_harness.adapter.disk import Disk
from proctor_harness.adapter.figures import Figures
from proctor_harness.adapter.http.fetch import fetch
from proctor_harness.adapter.http.pool import Pool
from proctor_harness.adapter.http.server import server_protocol
from proctor_harness.adapter.item_log import ITEM_LOG_FILE, ItemLog
from proctor_harness.adapter.settings import Settings, settings, target
from proctor_harness.adapter.site import Site
from proctor_harness.adapter.upstream import Upstream, authorization

FINISH_SECONDS = 2.0
"""A sidecar that is told to leave holds the whole Job until it has left."""
BACKLOG = 4096

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def running(given: Settings, environ: Mapping[str, str]) -> AsyncIterator[Adapter]:
    """The adapter, with what it needs; raises whatever keeps it from that."""
    links = chain.links(given.config)
    to = target(given, chain.target(links))
    disk = Disk()
    site = Site(
        artifacts=given.artifacts,
        url=to.url,
        identity=given.identity or to.url,
        session=given.session,
        api_key=to.api_key,
        environ=environ,
        disk=disk,
        figures=Figures(given.artifacts, disk),
        # All that there are: before it was changed, the evaluation may have had more of them.
        shards=tuple(sorted(given.shards.glob("*"))) if given.shards else (),
        fetch=fetch,
    )
    upstream = Upstream(Pool(to.server), to.api_key, to.timeout_seconds)
    interceptors = chain.build(given.config, links, site)
    item_log = ItemLog(disk.journal(given.artifacts / ITEM_LOG_FILE), given.session)
    disk.start()
    try:
        yield Adapter(
            interceptors,
            upstream,
            item_log,
            site.finish,
            key=to.api_key,
            at_target=chain.at_target(links, authorization(to.api_key)),
            rewrites=chain.rewrites(links),
        )
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                await site.finish()
        await disk.close()


async def serve(given: Settings, environ: Mapping[str, str]) -> None:
    """Serve until SIGTERM, then leave at once: the harness, our only client, has ended.

    Raises BeginningError; what fails later, a new start may mend.
    """
    loop = asyncio.get_running_loop()
    told_to_leave = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told_to_leave.set)
    async with contextlib.AsyncExitStack() as stack:
        with beginning(given.artifacts):
            adapter = await stack.enter_async_context(running(given, environ))
            server = await loop.create_server(
                server_protocol(adapter), given.bind_address, given.port, backlog=BACKLOG
            )
        await told_to_leave.wait()
        server.close()


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run the sidecar; its exit code says whether a restart can help."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    try:
        with beginning(Path(environ.get("MOUNT_ARTIFACTS", ""))):
            given = settings(environ)
        uvloop.run(serve(given, environ))
    except BeginningError as error:
        if not isinstance(error.__cause__, ConfigurationError):
            logger.exception("it cannot begin", exc_info=error.__cause__)
        tell(error.failure, environ)
        return EXIT_REJECTED
    return 0


def tell(failure: Failure, environ: Mapping[str, str]) -> None:
    """Leave word of a failure, in the log and for the run."""
    sys.stderr.write(f"{failure.message}\n")
    if path := environ.get("TERMINATION_MESSAGE_PATH"):
        limit = termination_limit(environ)
        termination.write(Path(path), termination.clipped(failure, limit), limit)


if __name__ == "__main__":
    raise SystemExit(main())
