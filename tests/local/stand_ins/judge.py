"""A server that judges as WildGuard does, ready as soon as its checkpoint has a file `ready`."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ENGINE = {"servedModelName": "stand-in", "checkpointDigest": "sha256:0"}
READY = Path(os.environ["MOUNT_MODEL"]) / "ready"


def verdict(prompt: str) -> str:
    """Harmful is what says so."""
    harmful = "yes" if "BAD" in prompt else "no"
    return f"Harmful request: yes\nResponse refusal: no\nHarmful response: {harmful}"


class Handler(BaseHTTPRequestHandler):
    """Answers every path that the operator and the adapter ask."""

    def do_GET(self) -> None:
        """Health, readiness, engine."""
        self._answer(ENGINE, 200 if READY.exists() else 503)

    def do_POST(self) -> None:
        """Completions of one prompt or of several."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        prompts = asked["prompt"] if isinstance(asked["prompt"], list) else [asked["prompt"]]
        choices = [
            {"index": i, "finish_reason": "stop", "text": verdict(prompt)}
            for i, prompt in enumerate(prompts)
        ]
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        self._answer({"id": "1", "created": 0, "choices": choices, "usage": usage} | asked, 200)

    def _answer(self, content: object, status: int) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


address = (os.environ["BIND_ADDRESS"], int(os.environ["PORT_HTTP"]))
ThreadingHTTPServer(address, Handler).serve_forever()
