"""An OpenAI API whose answers a test writes, and the driver of a harness in its own environment."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proctor_cli.local.environment_build import Distribution, build
from proctor_cli.local.environments import default_cache
from proctor_crds.wire import Failure, RunResult
from proctor_harness.adapter.probe import AGENT
from tests.runtime.harness.model_server import listening
from tests.runtime.harness.processes import AdapterProcess, driver_environ

Body = dict[str, Any]
RUN_SECONDS = 300


def python_of(component: str) -> Path:
    """The interpreter of an image's environment, made if need be."""
    return asyncio.run(build(component, Distribution.installed(), default_cache(), print))


@dataclass
class Model:
    """What the model was asked."""

    url: str = ""
    seen: list[Body] = field(default_factory=list)


@contextlib.contextmanager
def model(answer: Callable[[str, Body], str | None]) -> Iterator[Model]:
    """Serve `answer(prompt, body)`; None is a request that the server refuses."""
    state = Model()

    async def endpoint(request: Request) -> Response:
        body = await request.json()
        if request.headers.get("user-agent") == AGENT:
            return JSONResponse({"choices": []})
        state.seen.append(body)
        chat = "messages" in body
        asked = body["messages"][-1]["content"] if chat else body["prompt"]
        texts = [answer(prompt, body) for prompt in (asked if type(asked) is list else [asked])]
        if None in texts:
            return JSONResponse({"error": {"message": "refused"}}, 400)
        repeated = [text for text in texts for _ in range(body.get("n") or 1)]
        choices = [
            {"index": i, "finish_reason": "stop"}
            | ({"message": {"role": "assistant", "content": text}} if chat else {"text": text})
            for i, text in enumerate(repeated)
        ]
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        names = {"id": "1", "created": 0, "model": body["model"], "object": "chat.completion"}
        return JSONResponse({**names, "choices": choices, "usage": usage})

    routes = [
        Route(f"/v1/{kind}", endpoint, methods=["POST"])
        for kind in ("completions", "chat/completions")
    ]
    with listening(Starlette(routes=routes)) as state.url:
        yield state


@dataclass
class Evaluated:
    """How a run ended."""

    exit_code: int
    artifacts: Path

    @property
    def result(self) -> RunResult:
        """The scores; they are there where the run ended well."""
        assert self.exit_code == 0, self.message
        return RunResult.model_validate_json((self.artifacts / "results.json").read_text())

    @property
    def failure(self) -> Failure:
        """Why there are no scores."""
        assert self.exit_code != 0, self.message
        return Failure.model_validate_json(self.message)

    @property
    def message(self) -> str:
        """The last words."""
        return (self.artifacts / "termination").read_text()


def evaluate(python: Path, sidecar: AdapterProcess, spec: Body, **env: str) -> Evaluated:
    """Run the driver as the pod does, but with the harness's own interpreter."""
    environ = driver_environ(sidecar.artifacts, sidecar.port, spec, **env)
    environ.pop("PYTHONPATH", None)  # nothing of our own environment must be found
    argv = [python, "-m", "proctor_harness", "run"]
    ended = subprocess.run(argv, env=environ, check=False, timeout=RUN_SECONDS)
    return Evaluated(ended.returncode, sidecar.artifacts)


def lines(path: Path) -> list[Any]:
    """A file of one JSON value a line."""
    return [json.loads(line) for line in path.read_text().splitlines()]
