"""``python -m proctor_harness.sandbox``: the container in which generated programs are executed.

It answers on the pod's loopback alone: GET says whether it can confine a program, POST executes
one. It has no volume but its own scratch, no token and no secret.
"""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Semaphore
from types import FrameType

from proctor_harness.sandbox import execution, kernel, landlock

SLOTS = 2
"""Programs at a time: so much memory and so many CPUs has the container."""
LONGEST_PROGRAM = 8 << 20
"""Bytes."""


def main() -> int:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, _leave)
    # Other processes of this user must not read or write this one's memory.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    why = execution.refusal()
    print(f"sandbox: {why or 'ready'}", file=sys.stderr, flush=True)
    address = ("127.0.0.1", int(os.environ["PORT_SANDBOX"]))
    # Without Landlock a program could reach into another by /proc.
    slots = Semaphore(SLOTS if landlock.version() else 1)
    Server(address, handler(why, slots)).serve_forever()
    return 0


class Server(ThreadingHTTPServer):
    """Has room for all programs of an evaluation to wait in; the default is five."""

    request_queue_size = 1024


def handler(why: str | None, slots: Semaphore) -> type[BaseHTTPRequestHandler]:
    """Answers; at most as many programs at a time as `slots` has."""

    class Handler(BaseHTTPRequestHandler):
        """One connection."""

        def do_GET(self) -> None:
            """Whether programs can be executed."""
            self._answer({"refusal": why})

        def do_POST(self) -> None:
            """Execute `program`, at most `seconds`."""
            size = int(self.headers.get("Content-Length", 0))
            if why or not 0 < size <= LONGEST_PROGRAM:
                self._answer(
                    {"error": why or f"a program has at most {LONGEST_PROGRAM} bytes"}, 422
                )
                return
            asked = json.loads(self.rfile.read(size))
            try:
                with slots:
                    verdict = execution.run(asked["program"], float(asked["seconds"]))
            except execution.ExecutionError as error:
                self._answer({"error": str(error)}, 503)
            else:
                self._answer({"passed": verdict.passed, "result": verdict.result})

        def _answer(self, content: dict[str, object], status: int = 200) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Say nothing."""

    return Handler


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(143)


if __name__ == "__main__":
    sys.exit(main())
