"""``python -m proctor_harness.adapter``: the native sidecar of an evaluation's pod."""

import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from proctor_harness.adapter.app import Adapter
from proctor_harness.adapter.item_log import ItemLog
from proctor_harness.adapter.upstream import Upstream

KEEP_ALIVE_SECONDS = 120
"""Longer than any harness idles: a connection that closes in its hands costs it a retry."""


def build(environ: Mapping[str, str]) -> Adapter:
    """Make the application from the pod's environment."""
    upstream = Upstream(
        environ["UPSTREAM_URL"],
        environ.get("API_KEY"),
        timeout_seconds=float(environ.get("UPSTREAM_TIMEOUT_SECONDS", "3600")),
    )
    return Adapter(upstream, ItemLog(Path(environ["MOUNT_ARTIFACTS"]) / "requests.jsonl"))


def main() -> None:
    """Serve until SIGTERM, then leave at once: the harness, our only client, has ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # That it does not wait for connections is what we ask of it, not an error.
    logging.getLogger("uvicorn.error").addFilter(lambda r: "graceful shutdown" not in str(r.msg))
    uvicorn.run(
        build(os.environ),
        host=os.environ.get("BIND_ADDRESS", "127.0.0.1"),
        port=int(os.environ.get("PORT_ADAPTER", "9100")),
        loop="uvloop",
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=0,
    )


if __name__ == "__main__":
    main()
