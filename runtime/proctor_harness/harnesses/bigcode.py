"""The BigCode evaluation harness, as NVIDIA packages it (nvidia-bigcode-eval).

Tasks of two kinds: in some, texts are compared; in the others the code that the model wrote is
executed, in the sandbox. Those for whose code no sandbox is equipped are refused.
"""

import json
import sys
from pathlib import Path

from proctor_crds import catalogue
from proctor_crds.wire import RunResult, RunSpec, Unscored
from proctor_harness.harnesses import bigcode_report, parameters
from proctor_harness.harnesses.bigcode_preflight import COUNTS_FILE
from proctor_harness.harnesses.protocol import Problem, Workspace

EXTRAS = ("samples",)
"""`samples`: answers to each problem; with 10 there is a pass@10, with 100 a pass@100."""
MODEL_TYPES = {"completions": "nim-base", "chat": "nim-chat"}


def validate(run: RunSpec) -> list[Problem]:
    """Check tasks and sampling."""
    return [
        *parameters.tasks(run, gives=["sandbox"]),
        *parameters.sampling(run),
        *parameters.unsupported(run, "bigcode", ["few_shot"]),
        *parameters.extras(run, "bigcode", EXTRAS),
        *parameters.integers(run, EXTRAS),
    ]


def preflight(run: RunSpec, workspace: Workspace) -> list[str]:
    """Load the data, and count it."""
    module = "proctor_harness.harnesses.bigcode_preflight"
    argv = [sys.executable, "-m", module, "--output-dir", str(workspace.output_dir)]
    if run.params.limit_samples is not None:
        argv += ["--limit", str(run.params.limit_samples)]
    argv += ["--samples", run.params.extra.get("samples", "1")]
    argv += ["--shard", str(run.shard), "--shards", str(run.shards)] if run.shards > 1 else []
    return [*argv, "--", *run.tasks]


def commands(run: RunSpec, workspace: Workspace) -> list[list[str]]:
    """One process a task, which is what bigcode takes."""
    return [_evaluate(task, run, workspace) for task in run.tasks]


def parse(run: RunSpec, output_dir: Path) -> RunResult:
    """Read each task's ``metrics.json``, and take for a score what has samples."""
    counts = bigcode_report.read(output_dir / COUNTS_FILE)
    found = {
        task: bigcode_report.records(task, output_dir / task, counts.get(task, {}))
        for task in run.tasks
    }
    return RunResult(
        results=[record for records in found.values() for record in records],
        unscored=[
            Unscored(task=task, why="bigcode left no metric of it")
            for task, records in found.items()
            if not records
        ],
    )


items = bigcode_report.items


def _evaluate(task: str, run: RunSpec, workspace: Workspace) -> list[str]:
    params, folder = run.params, str(workspace.output_dir / task)
    path = "chat/completions" if run.endpoint_type == "chat" else "completions"
    # Patience is the adapter's: bigcode would leave while it waits to ask again.
    model = {"model_name": run.model, "timeout": None}
    options: dict[str, object] = {
        "--limit": params.limit_samples,
        "--temperature": params.temperature,
        "--top_p": params.top_p,
        "--max_new_tokens": params.max_new_tokens,
        "--n_samples": params.extra.get("samples"),
    }
    return [
        *(sys.executable, "-m", f"proctor_harness.harnesses.{_module(task)}"),
        *(folder, str(run.seed), str(run.shard), str(run.shards)),
        *("--model_type", MODEL_TYPES[run.endpoint_type]),
        *("--url", f"{workspace.base_url}/{path}"),
        *("--model_kwargs", json.dumps(model, separators=(",", ":"))),
        *("--task", task, "--out_dir", folder),
        *("--async_limit", str(params.parallelism)),
        # Without it bigcode judges no task at all, not even those that execute nothing.
        "--allow_code_execution" if run.shards == 1 else "--generation_only",
        *(f"{name}={value}" for name, value in options.items() if value is not None),
    ]


def _module(task: str) -> str:
    found = catalogue.find("bigcode", task)
    return "bigcode_sandboxed" if found and "sandbox" in found.needs else "bigcode_guarded"
