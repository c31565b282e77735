"""Asking the sandbox, from the harness's container."""

import http.client
import json
import time
from typing import Any

ADDRESS = "127.0.0.1"
START_SECONDS = 60.0
PATIENCE_SECONDS = 3600.0
"""For a verdict: a program waits until those before it are through."""


PAUSES = (0.2, 1.0, 5.0, 10.0)
"""Seconds before a sandbox that did not answer is asked anew: it may start again."""


class SandboxError(Exception):
    """There is no verdict, which is nobody's wrong answer."""


class AbsentError(SandboxError):
    """The sandbox does not answer."""


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
    """Whether the program passed, and what became of it. Raises SandboxError.

    Executed twice, a program changes nothing, so one whose sandbox was lost is executed anew.
    """
    asked = {"program": program, "seconds": seconds}
    for pause in PAUSES:
        try:
            verdict = _ask(port, "POST", asked)
        except AbsentError:
            time.sleep(pause)
        else:
            break
    else:
        verdict = _ask(port, "POST", asked)
    return verdict["passed"], verdict["result"]


def _ask(port: int, method: str, content: dict[str, Any] | None) -> dict[str, Any]:
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=PATIENCE_SECONDS)
    try:
        connection.request(method, "/", None if content is None else json.dumps(content))
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise AbsentError(f"the sandbox does not answer: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise SandboxError(f"the sandbox gave no verdict: {body.decode(errors='replace')[:1000]}")
    answer: dict[str, Any] = json.loads(body)
    return answer
