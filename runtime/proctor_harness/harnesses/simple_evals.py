"""OpenAI's simple-evals, as NVIDIA packages them (nvidia-simple-evals).

Its data comes from a Hugging Face Hub. Tasks that need a judge, and those whose grader evaluates
what the model wrote, are in the catalogue, and refused.
"""

import sys
from pathlib import Path

from proctor_crds.wire import RunResult, RunSpec, Unscored
from proctor_harness.harnesses import parameters, simple_evals_report
from proctor_harness.harnesses.protocol import PreflightReport, Problem, Workspace

EXTRAS = ("addSystemPrompt",)


def validate(run: RunSpec) -> list[Problem]:
    """Check tasks, sampling and extras."""
    return [
        *parameters.tasks(run),
        *parameters.sampling(run),
        *parameters.unsupported(run, "simple-evals", ["few_shot"]),
        *parameters.extras(run, "simple-evals", EXTRAS),
        *parameters.flags(run, EXTRAS),
    ]


def preflight(_run: RunSpec, _workspace: Workspace) -> PreflightReport:
    """Nothing: the data is loaded by the run itself."""
    return PreflightReport()


def commands(run: RunSpec, workspace: Workspace) -> list[list[str]]:
    """One process a task, which is what simple-evals takes."""
    return [_evaluate(task, run, workspace) for task in run.tasks]


def parse(run: RunSpec, output_dir: Path) -> RunResult:
    """Read each task's report; how many samples it had, its cache of answers says."""
    found = {
        task: simple_evals_report.records(task, output_dir / task / f"{task}.json")
        for task in run.tasks
    }
    return RunResult(
        results=[record for records in found.values() for record in records],
        unscored=[
            Unscored(task=task, why="simple-evals left no score of any sample")
            for task, records in found.items()
            if not records
        ],
    )


items = simple_evals_report.items


def _evaluate(task: str, run: RunSpec, workspace: Workspace) -> list[str]:
    params, folder = run.params, workspace.output_dir / task
    options: dict[str, object] = {
        "--model": run.model,
        "--eval_name": task,
        "--url": f"{workspace.base_url}/chat/completions",
        "--out_dir": folder,
        "--cache_dir": folder / simple_evals_report.CACHE,
        "--num_threads": params.parallelism,
        # simple-evals counts attempts where we count what follows the first.
        "--max_retries": params.max_retries + 1,
        "--timeout": params.request_timeout_seconds,
        "--seed": run.seed,
        "--first_n": params.limit_samples,
        "--temperature": params.temperature,
        "--top_p": params.top_p,
        "--max_tokens": params.max_new_tokens,
    }
    given = [f"{name}={value}" for name, value in options.items() if value is not None]
    system = parameters.flag(params.extra.get("addSystemPrompt", "false"))
    argv = [sys.executable, "-m", *_module(run), *given]
    return [*argv, "--add_system_prompt"] if system else argv


def _module(run: RunSpec) -> list[str]:
    if run.shards == 1:
        return ["simple_evals"]
    return ["proctor_harness.harnesses.simple_evals_share", str(run.shard), str(run.shards)]
