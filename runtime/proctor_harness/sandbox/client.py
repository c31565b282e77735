"""Asking the sandbox, from the harness's container."""

import http.client
import json
import time
from typing import Any

ADDRESS = "127.0.0.1"
START_SECONDS = 60.0
PATIENCE_SECONDS = 3600.0
"""For a verdict: a program waits until those before it are through."""


class SandboxError(Exception):
    """There is no verdict, which is nobody's wrong answer."""


def refusal(port: int) -> str | None:
    """Why it executes nothing, once it has started; None where it does."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            found: str | None = _ask(port, "GET", None)["refusal"]
        except SandboxError as error:
            if time.monotonic() > deadline:
                return str(error)
            time.sleep(0.2)
        else:
            return found


def execute(port: int, program: str, seconds: float) -> tuple[bool, str]:
    """Whether the program passed, and what became of it. Raises SandboxError."""
    verdict = _ask(port, "POST", {"program": program, "seconds": seconds})
    return verdict["passed"], verdict["result"]


def _ask(port: int, method: str, content: dict[str, Any] | None) -> dict[str, Any]:
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=PATIENCE_SECONDS)
    try:
        connection.request(method, "/", None if content is None else json.dumps(content))
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise SandboxError(f"the sandbox does not answer: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise SandboxError(f"the sandbox gave no verdict: {body.decode(errors='replace')[:1000]}")
    answer: dict[str, Any] = json.loads(body)
    return answer
