"""The driver's view of the adapter: its ``/progress`` and ``/target``."""

import contextlib
import http.client
import json
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError

from proctor_crds.base import Model
from proctor_harness.adapter.probe import Probed, Wanted
from proctor_harness.adapter.progress import Snapshot
from proctor_harness.adapter.target_page import TargetSeen

TIMEOUT_SECONDS = 5.0
PROBE_SECONDS = 60.0
"""A model that others ask as well takes its time."""
FINISH_SECONDS = 120.0
"""Reports are made of all that was asked."""
M = TypeVar("M", bound=Model)


def announce(base_url: str, total: int) -> None:
    """Say how many items there will be; if the adapter is away, only a figure is missing."""
    _progress(base_url, "POST", json.dumps({"total": total}))


def snapshot(base_url: str) -> Snapshot | None:
    """Ask what became of the requests; nothing if no adapter answers."""
    return _progress(base_url, "GET", None)


def target(base_url: str) -> TargetSeen | None:
    """Ask what the target says of itself; nothing if it takes its time."""
    return _page(TargetSeen, base_url, "GET", "/target", None)


def finish(base_url: str) -> None:
    """Have everything written that is written at the end; if the adapter is away, it has been."""
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.netloc, timeout=FINISH_SECONDS)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("POST", "/adapterserver/run-post-hook")
        connection.getresponse().read()


def probe(base_url: str, wanted: Wanted) -> Probed | None:
    """Have the target asked one question of one token; nothing if it takes its time."""
    body = wanted.model_dump_json(by_alias=True)
    return _page(Probed, base_url, "POST", "/target", body, seconds=PROBE_SECONDS)


def _progress(base_url: str, method: str, body: str | None) -> Snapshot | None:
    return _page(Snapshot, base_url, method, "/progress", body)


def _page(  # noqa: PLR0913  a request, and how long to wait
    model: type[M],
    base_url: str,
    method: str,
    path: str,
    body: str | None,
    *,
    seconds: float = TIMEOUT_SECONDS,
) -> M | None:
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.netloc, timeout=seconds)
    try:
        connection.request(method, path, body)
        return model.model_validate_json(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValidationError):
        return None
    finally:
        connection.close()
