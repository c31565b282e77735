"""A server that is ready at once, or fails as the checkpoint's file `failure` says."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ENGINE = {"servedModelName": "stand-in", "checkpointDigest": "sha256:0"}


class Handler(BaseHTTPRequestHandler):
    """Answers every path that the operator and the adapter ask."""

    def do_GET(self) -> None:
        """Health, readiness, engine."""
        body = json.dumps(ENGINE).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Fail as told, else serve."""
    failure = Path(os.environ["MOUNT_MODEL"]) / "failure"
    if failure.exists():
        Path(os.environ["TERMINATION_MESSAGE_PATH"]).write_text(failure.read_text())
        sys.exit(64)
    address = (os.environ["BIND_ADDRESS"], int(os.environ["PORT_HTTP"]))
    ThreadingHTTPServer(address, Handler).serve_forever()


main()
