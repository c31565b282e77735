"""An OpenAI API whose answers a test writes, and the driver of a harness in its own environment."""

import asyncio
import contextlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response

from proctor_cli.local.environment_build import Distribution, build
from proctor_cli.local.environments import default_cache
from proctor_crds.wire import Failure, RunResult
from proctor_harness.items import Item
from proctor_harness.repeats import key
from tests.runtime.harness.model_server import listening
from tests.runtime.harness.packages.scripted_api import Answer, Body, routes
from tests.runtime.harness.processes import AdapterProcess, adapter, driver_environ

RUN_SECONDS = 900
SHARDS = 2


def python_of(component: str) -> Path:
    """The interpreter of an image's environment, made if need be."""
    return asyncio.run(build(component, Distribution.installed(), default_cache(), print))


@dataclass
class Model:
    """What the model was asked."""

    url: str = ""
    seen: list[Body] = field(default_factory=list)

    def note(self, body: Body) -> None:
        """Keep a request."""
        self.seen.append(body)


@contextlib.contextmanager
def model(answer: Answer) -> Iterator[Model]:
    """Serve `answer(prompt, body)`; None is a request that the server refuses."""
    state = Model()
    with listening(Starlette(routes=routes(answer, state.note))) as state.url:
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


def once(answer: Answer, first: Response) -> Answer:
    """The answers, the first of which is another in its place."""
    left = [first]

    def answered(prompt: str, body: Body) -> str | Response | None:
        return left.pop() if left else answer(prompt, body)

    return answered


def busy() -> Response:
    """What a server says that has too much to do."""
    return JSONResponse({"error": {"message": "busy"}}, 429, {"retry-after": "1"})


def evaluate(python: Path, sidecar: AdapterProcess, spec: Body, **env: str) -> Evaluated:
    """Run the driver as the pod does, but with the harness's own interpreter."""
    environ = driver_environ(sidecar.artifacts, sidecar.port, spec, **env)
    environ.pop("PYTHONPATH", None)  # nothing of our own environment must be found
    argv = [python, "-m", "proctor_harness", "run"]
    ended = subprocess.run(argv, env=environ, check=False, timeout=RUN_SECONDS)
    return Evaluated(ended.returncode, sidecar.artifacts)


def measured(ended: Evaluated) -> list[Item]:
    """The items of a run, held against its scores: each that is a mean of samples is theirs."""
    items = [Item.model_validate(line) for line in lines(ended.artifacts / "items.jsonl")]
    for record in ended.result.results:
        own = [item for item in items if (item.task, item.metric, item.filter) == key(record)]
        if own:
            assert fmean(item.value for item in own) == pytest.approx(float(record.value))
            assert len(own) == record.n
            assert sum(i.error for i in own) == (record.errors or 0)
            assert sum(i.extraction_failure for i in own) == (record.extraction_failures or 0)
            assert (record.stderr is None) == (record.n == 1)
        assert record.ci_low is not None
        assert record.ci_high is not None
    return items


def shared(
    python: Path, upstream: Model, folder: Path, spec: Body, again: int = 0, **env: str
) -> Evaluated:
    """Two pods ask, and one scores: they ask what the run of before asked, as often.

    The pod that scores asks nothing, but those questions again that the target refused.
    """
    whole, upstream.seen = questions(upstream.seen), []
    # Only the pod that scores has a judge.
    asking = {name: value for name, value in env.items() if name != "JUDGE_URL"}
    for shard in range(SHARDS):
        before, index = len(upstream.seen), {"SHARD_INDEX": str(shard)}
        with adapter(upstream.url, folder, MODEL_IDENTITY="m", **index) as sidecar:
            ended = evaluate(python, sidecar, spec | {"shards": SHARDS}, **asking, **index)
            sidecar.stop()  # as the pod's end does: what it had yet to write is written
        assert ended.exit_code == 0, ended.message
        assert whole.total() / SHARDS / 2 < len(upstream.seen) - before < whole.total()
    assert questions(upstream.seen) == whole
    upstream.seen = []
    with adapter(upstream.url, folder, MODEL_IDENTITY="m") as sidecar:
        ended = evaluate(python, sidecar, spec, **env)
    assert len(upstream.seen) == again
    return ended


def questions(asked: list[Body]) -> Counter[str]:
    """What was asked, and how often."""
    return Counter(json.dumps(body, sort_keys=True) for body in asked)


def lines(path: Path) -> list[Any]:
    """A file of one JSON value a line."""
    return [json.loads(line) for line in path.read_text().splitlines()]
