"""`python -m proctor_operator`: the operator's process."""

import asyncio
import logging
import os
import sys

import kopf

import proctor_operator.handlers  # noqa: F401  registers the handlers with kopf


def main() -> int:
    """Watch the namespaces in `WATCH_NAMESPACES` (comma-separated), or all of them.

    Returns the exit status: 1 where it could no longer reconcile, 0 where it was asked to end.
    """
    names = [name for name in os.environ.get("WATCH_NAMESPACES", "").split(",") if name]
    port = os.environ.get("LIVENESS_PORT", "8081")
    memo = kopf.Memo(stop=asyncio.Event(), failed=False)
    kopf.configure(verbose=False)
    for told_by_every_probe in ("aiohttp.access", "kopf.activities.probe"):
        logging.getLogger(told_by_every_probe).setLevel(logging.WARNING)
    kopf.run(
        namespaces=names,
        clusterwide=not names,
        standalone=True,
        liveness_endpoint=f"http://0.0.0.0:{port}/healthz",
        stop_flag=memo.stop,
        memo=memo,
    )
    return 1 if memo.failed else 0


if __name__ == "__main__":
    sys.exit(main())
