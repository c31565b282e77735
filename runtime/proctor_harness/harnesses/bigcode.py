"""The BigCode evaluation harness, as NVIDIA packages it (nvidia-bigcode-eval).

Most of its tasks run the code that the model wrote, for which there is no sandbox yet: the
catalogue says which, and they are refused. The others compare texts.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proctor_crds.results import ResultRecord
from proctor_crds.wire import RunResult, RunSpec, Unscored
from proctor_harness.harnesses import parameters
from proctor_harness.harnesses.bigcode_preflight import COUNTS_FILE
from proctor_harness.harnesses.protocol import Problem, Workspace
from proctor_harness.harnesses.records import Samples, proportion

MODEL_TYPES = {"completions": "nim-base", "chat": "nim-chat"}


def validate(run: RunSpec) -> list[Problem]:
    """Check tasks and sampling."""
    return [
        *parameters.tasks(run),
        *parameters.sampling(run),
        *parameters.unsupported(run, "bigcode", ["few_shot"]),
        *parameters.extras(run, "bigcode", ()),
    ]


def preflight(run: RunSpec, workspace: Workspace) -> list[str]:
    """Load the data, and count it."""
    module = "proctor_harness.harnesses.bigcode_preflight"
    argv = [sys.executable, "-m", module, "--output-dir", str(workspace.output_dir)]
    if run.params.limit_samples is not None:
        argv += ["--limit", str(run.params.limit_samples)]
    return [*argv, "--", *run.tasks]


def commands(run: RunSpec, workspace: Workspace) -> list[list[str]]:
    """One process a task, which is what bigcode takes."""
    return [_evaluate(task, run, workspace) for task in run.tasks]


def parse(run: RunSpec, output_dir: Path) -> RunResult:
    """Read each task's ``metrics.json``, and take for a score what has samples."""
    counts = _read(output_dir / COUNTS_FILE)
    reports = {task: _read(output_dir / task / "metrics.json").get(task, {}) for task in run.tasks}
    unscored = [
        Unscored(task=task, why="bigcode left no metric of it")
        for task in run.tasks
        if not reports[task] or task not in counts
    ]
    silent = {part.task for part in unscored}
    found = [
        _records(task, reports[task], counts[task]) for task in run.tasks if task not in silent
    ]
    return RunResult(results=[record for records in found for record in records], unscored=unscored)


def _evaluate(task: str, run: RunSpec, workspace: Workspace) -> list[str]:
    params, folder = run.params, str(workspace.output_dir / task)
    path = "chat/completions" if run.endpoint_type == "chat" else "completions"
    model = {
        "model_name": run.model,
        "timeout": params.request_timeout_seconds,
        "connection_retries": params.max_retries,
    }
    options: dict[str, object] = {
        "--limit": params.limit_samples,
        "--temperature": params.temperature,
        "--top_p": params.top_p,
        "--max_new_tokens": params.max_new_tokens,
    }
    return [
        *(sys.executable, "-m", "proctor_harness.harnesses.fresh_folder", folder),
        "bigcode_eval.main_server",
        *("--model_type", MODEL_TYPES[run.endpoint_type]),
        *("--url", f"{workspace.base_url}/{path}"),
        *("--model_kwargs", json.dumps(model, separators=(",", ":"))),
        *("--task", task, "--out_dir", folder),
        *("--async_limit", str(params.parallelism)),
        # Without it bigcode judges no task at all, not even those that execute nothing.
        "--allow_code_execution",
        *(f"{name}={value}" for name, value in options.items() if value is not None),
    ]


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _records(task: str, report: dict[str, float], counts: dict[str, int]) -> Iterator[ResultRecord]:
    """A language without a sample has a value too, which is no score."""
    for language, n in counts.items():
        value = report[f"{language} Exact Match"]
        record = proportion(task, "exact_match", value, Samples(n))
        yield record.model_copy(update={"filter": language})
