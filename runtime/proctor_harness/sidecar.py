"""The driver's view of the adapter: its ``/progress``."""

import http.client
import json
from urllib.parse import urlsplit

from pydantic import ValidationError

from proctor_harness.adapter.progress import Snapshot

TIMEOUT_SECONDS = 5.0


def announce(base_url: str, total: int) -> None:
    """Say how many items there will be; if the adapter is away, only a figure is missing."""
    _progress(base_url, "POST", json.dumps({"total": total}))


def snapshot(base_url: str) -> Snapshot | None:
    """Ask what became of the requests; nothing if no adapter answers."""
    return _progress(base_url, "GET", None)


def _progress(base_url: str, method: str, body: str | None) -> Snapshot | None:
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, "/progress", body)
        return Snapshot.model_validate_json(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValidationError):
        return None
    finally:
        connection.close()
