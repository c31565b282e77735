"""garak, NVIDIA's scanner for what a model can be brought to say.

A task is a probe (`lmrc.Profanity`), a module of them (`lmrc`: those that garak calls active) or
`all`. Each has a process of its own: a probe whose detectors cannot be loaded ends garak, and well.
"""

import json
import sys
from pathlib import Path
from typing import Any

from proctor_crds.wire import RunResult, RunSpec, Unscored
from proctor_harness.harnesses import garak_report, parameters
from proctor_harness.harnesses.protocol import PreflightReport, Problem, Workspace

EXTRAS = ("generations",)
"""`generations`: answers to each prompt; garak's own default is 5."""
UNSUPPORTED = ("few_shot", "limit_samples")
GENERATORS = {"chat": ("openai", "OpenAICompatible"), "completions": ("nim", "NVOpenAICompletion")}
"""garak's clients of the two APIs."""
STEADY = {"vary_seed_each_call": False, "vary_temp_each_call": False}
"""What keeps the second of them from drawing a temperature for each request."""


def validate(run: RunSpec) -> list[Problem]:
    """Check tasks, sampling and extras."""
    return [
        *parameters.tasks(run),
        *parameters.sampling(run),
        *parameters.unsupported(run, "garak", UNSUPPORTED),
        *parameters.extras(run, "garak", EXTRAS),
        *parameters.integers(run, EXTRAS),
    ]


def preflight(_run: RunSpec, _workspace: Workspace) -> PreflightReport:
    """Nothing: how many prompts a probe has, it decides as it runs."""
    return PreflightReport()


def commands(run: RunSpec, workspace: Workspace) -> list[list[str]]:
    """One scan for each task."""
    return [_scan(task, run, workspace) for task in run.tasks]


def parse(run: RunSpec, output_dir: Path) -> RunResult:
    """Read each scan's report; that garak ended well says nothing."""
    scans = [garak_report.read(task, garak_report.path(output_dir, task)) for task in run.tasks]
    unscored = [
        Unscored(task=part, why=why) for scan in scans for part, why in scan.unscored.items()
    ]
    return RunResult(results=[r for scan in scans for r in scan.records], unscored=unscored)


items = garak_report.items


def _scan(task: str, run: RunSpec, workspace: Workspace) -> list[str]:
    module, name = GENERATORS[run.endpoint_type]
    options = {module: {name: _generator(run, workspace)}}
    report = str(garak_report.path(workspace.output_dir, task)).removesuffix(garak_report.SUFFIX)
    argv = [
        *(sys.executable, "-m", *_module(run)),
        str(run.params.max_retries + 1),
        *("--target_type", f"{module}.{name}", "--target_name", run.model),
        *("--generator_options", json.dumps(options, separators=(",", ":"))),
        *("--spec", "probes" if task == "all" else f"probes.{task}", "--report_prefix", report),
        *("--parallel_attempts", str(run.params.parallelism), "--seed", str(run.seed)),
    ]
    generations = run.params.extra.get("generations")
    return argv if generations is None else [*argv, "--generations", generations]


def _module(run: RunSpec) -> list[str]:
    if run.shards == 1:
        return ["proctor_harness.harnesses.garak_bounded"]
    return ["proctor_harness.harnesses.garak_share", str(run.shard), str(run.shards)]


def _generator(run: RunSpec, workspace: Workspace) -> dict[str, Any]:
    params = run.params
    sampling = {
        "temperature": None if params.temperature is None else float(params.temperature),
        "top_p": None if params.top_p is None else float(params.top_p),
        "max_tokens": params.max_new_tokens,
    }
    return {
        "uri": f"{workspace.base_url}/",
        "extra_params": {"timeout": params.request_timeout_seconds},
        **(STEADY if run.endpoint_type == "completions" else {}),
        **{key: value for key, value in sampling.items() if value is not None},
    }
