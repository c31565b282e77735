"""NVIDIA's safety harness (nvidia-safety-harness): a second model judges how safe answers are.

Its questions come from a Hugging Face Hub or from a file of the evaluation's datasets. It has no
setting for the judge's sampling: what it sends is part of the benchmark.
"""

import sys
from pathlib import Path, PurePosixPath

from proctor_crds import catalogue
from proctor_crds.wire import RunResult, RunSpec, Unscored
from proctor_harness.harnesses import parameters, safety_items, safety_report
from proctor_harness.harnesses.protocol import PreflightReport, Problem, Workspace
from proctor_harness.harnesses.shares import Share

EXTRAS = ("dataset", "policy", "judgeParallelism")
"""`dataset` and `policy` are paths of files below the evaluation's datasets."""
FILES = {"compliance": ("dataset", "policy"), "aegis_v2": (), "aegis_v2_reasoning": ()}
"""Tasks that take questions from a file, and the extras without which they have none."""
REASONING = "_reasoning"
"""Ends the name of the task in which answers are judged with their reasoning and without."""


def validate(run: RunSpec) -> list[Problem]:
    """Check tasks, judge, sampling and files."""
    return [
        *parameters.tasks(run, gives=["judge"]),
        *parameters.sampling(run),
        *parameters.unsupported(run, "safety-harness", ["few_shot"]),
        *parameters.extras(run, "safety-harness", EXTRAS),
        *parameters.integers(run, ["judgeParallelism"]),
        *_missing_files(run),
        *_strange_paths(run),
    ]


def preflight(run: RunSpec, _workspace: Workspace) -> PreflightReport:
    """Count the questions: one request each of a chat; completions are asked many at a time."""
    found = [catalogue.find("safety-harness", name) for name in run.tasks]
    sizes = [task.samples for task in found if task and task.samples]
    if run.endpoint_type == "completions" or "dataset" in run.params.extra:
        return PreflightReport()
    if len(sizes) < len(run.tasks):
        return PreflightReport()
    limit, share = run.params.limit_samples, Share(run.shard, run.shards)
    asked = sizes if limit is None else [min(n, limit) for n in sizes]
    return PreflightReport(total=sum(map(share.size, asked)))


def commands(run: RunSpec, workspace: Workspace) -> list[list[str]]:
    """One process a task, which is what it takes."""
    return [_evaluate(task, run, workspace) for task in run.tasks]


def parse(run: RunSpec, output_dir: Path) -> RunResult:
    """Read each task's report."""
    found = {task: safety_report.read(task, output_dir / task) for task in run.tasks}
    return RunResult(
        results=[score for score in found.values() if not isinstance(score, str)],
        unscored=[Unscored(task=task, why=why) for task, why in found.items() if type(why) is str],
    )


items = safety_items.read


def _evaluate(task: str, run: RunSpec, workspace: Workspace) -> list[str]:
    extra, limit = run.params.extra, run.params.limit_samples
    argv = [
        *(sys.executable, "-m", *_module(run)),
        *(
            "--eval",
            task.removesuffix(REASONING),
            "--results-dir",
            str(workspace.output_dir / task),
        ),
        *("--model-name", run.model, "--model-type", run.endpoint_type),
        *("--model-url", workspace.base_url, "--judge-url", workspace.judge_url or ""),
        *("--judge-model-name", run.judge_model or ""),
        *("--mut-inference-params", _asking(run)),
        *("--judge-inference-params", _judging(run)),
    ]
    if limit is not None:
        argv += ["--limit", str(limit)]
    argv += [f"--{name}={extra[name]}" for name in ("dataset", "policy") if name in extra]
    return [*argv, "--evaluate-reasoning-traces"] if task.endswith(REASONING) else argv


def _module(run: RunSpec) -> list[str]:
    if run.shards == 1:
        return ["safety_eval.main"]
    together = 1 if run.endpoint_type == "chat" else run.params.parallelism
    share = map(str, (run.shard, run.shards, together))
    return ["proctor_harness.harnesses.safety_share", *share]


def _asking(run: RunSpec) -> str:
    params = run.params
    given = {
        "concurrency": params.parallelism,
        # It counts attempts where we count what follows the first; its client counts as we do.
        "retries": params.max_retries + 1,
        "max_retries": 0,
        "timeout": params.request_timeout_seconds,
        "seed": run.seed,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "max_tokens": params.max_new_tokens,
    }
    return ",".join(f"{name}={value}" for name, value in given.items() if value is not None)


def _judging(run: RunSpec) -> str:
    parallelism = run.params.extra.get("judgeParallelism", run.params.parallelism)
    return f"concurrency={parallelism},retries={run.params.max_retries + 1}"


def _missing_files(run: RunSpec) -> list[Problem]:
    needed = {name for task in run.tasks for name in FILES.get(task, ())}
    remedy = "name a file of the evaluation's datasets; the task compliance needs it"
    return [
        Problem(f"params.extra.{name}", None, remedy)
        for name in sorted(needed - run.params.extra.keys())
    ]


def _strange_paths(run: RunSpec) -> list[Problem]:
    given = {
        name: run.params.extra[name] for name in FILES["compliance"] if name in run.params.extra
    }
    remedy = "give a path below the evaluation's datasets"
    return [
        Problem(f"params.extra.{name}", path, remedy)
        for name, path in given.items()
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts
    ]
