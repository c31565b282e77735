"""A target that answers as each request says, and repeats in the answer what it was asked.

A request's `script` is its answer: `status`, `body`, and `delay`; without, it is "ok". What is
asked comes back under `asked` of the body, and the headers that tests look at under `headers`.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OK = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}}]}


@dataclass
class ScriptedModel:
    url: str


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked: Any = json.loads(self.rfile.read(int(self.headers["content-length"])))
        script = asked.get("script", {})
        headers = {name.lower(): value for name, value in self.headers.items()}
        shown = {name: value for name, value in headers.items() if name.startswith("x-")}
        said = {**script.get("body", OK), "asked": asked, "headers": shown}
        content = json.dumps(said).encode()
        self.send_response(script.get("status", 200))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving_script() -> Iterator[ScriptedModel]:
    """Serve on a free port from threads."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield ScriptedModel(f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
