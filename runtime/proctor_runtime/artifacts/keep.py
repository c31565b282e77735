"""``python -m proctor_runtime keep``: store what the evaluation's other containers write.

Every `INTERVAL_SECONDS`, when the driver asks on the pod's loopback, and at the end.
"""

import logging
import signal
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from proctor_crds.reasons import Reason
from proctor_crds.wire import Failure
from proctor_runtime.artifacts.mirror import Mirror
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.protocol import UnreachableError

INTERVAL_SECONDS = 15.0
"""A pod that is killed loses what it wrote in this time and in that of one upload."""

logger = logging.getLogger(__name__)


def keep(mirror: Mirror, port: int, interval_seconds: float = INTERVAL_SECONDS) -> None:
    """Store until SIGTERM, and once more; raises what keeps the last from being stored."""
    told_to_leave = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told_to_leave.set())
    # On the loopback alone: nobody outside the pod has a say.
    with ThreadingHTTPServer(("127.0.0.1", port), handler(mirror)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        while not told_to_leave.wait(interval_seconds):
            if failure := stored(mirror):
                logger.warning("%s; trying again in %s s", failure.message, interval_seconds)
        server.shutdown()
    mirror.store()


def stored(mirror: Mirror) -> Failure | None:
    """Store everything; the reason why not."""
    try:
        mirror.store()
    except RejectedError as error:
        return Failure(reason=error.reason, message=str(error))
    except UnreachableError as error:
        return Failure(reason=error.reason, message=str(error))
    except OSError as error:
        return Failure(reason=Reason.ARTIFACTS_UNREACHABLE, message=f"artifacts: {error}")
    return None


def handler(mirror: Mirror) -> type[BaseHTTPRequestHandler]:
    """Answer a POST when everything is stored that was there when it came, or with a `Failure`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            failure = stored(mirror)
            content = failure.model_dump_json().encode() if failure else b"{}"
            self.send_response(HTTPStatus.BAD_GATEWAY if failure else HTTPStatus.OK)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing: what failed is logged by whoever asked."""

    return Handler
