"""Artifacts that go to a bucket are there before the pod tells its scores.

The container that stores them has the bucket's credentials; the driver has none, and asks it.
"""

import http.client
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from pydantic import ValidationError

from proctor_crds.reasons import Reason
from proctor_crds.wire import Failure
from proctor_harness import sidecar
from proctor_harness.failures import RunError

PAUSES = (1, 2, 4, 8, 15, 30, 60, 60, 60, 60)
"""Seconds between attempts, five minutes together."""
TIMEOUT_SECONDS = 3600.0
"""For one attempt: it may have gigabytes to store."""


def store(url: str, adapters: Sequence[str], sleep: Callable[[float], None] = time.sleep) -> None:
    """Have everything stored that was written; raises RunError where that cannot be."""
    for base_url in adapters:
        sidecar.finish(base_url)
    for pause in (*PAUSES, None):
        failure = attempt(url)
        if failure is None:
            return
        if pause is None or failure.reason == Reason.ARTIFACTS_REFUSED:
            raise RunError(failure.reason, failure.message)
        sleep(pause)


def attempt(url: str) -> Failure | None:
    """Ask once; gives the reason where it could not be done."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("POST", "/")
        response = connection.getresponse()
        content = response.read()
        return None if response.status == 200 else Failure.model_validate_json(content)
    except (OSError, http.client.HTTPException, ValidationError) as error:
        words = f"the artifacts could not be stored: {error or type(error).__name__}"
        return Failure(reason=Reason.ARTIFACTS_UNREACHABLE, message=words)
    finally:
        connection.close()
