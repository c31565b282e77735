"""Any Eval-Factory image: `framework.yml` says what it can, `results.yml` what came of it.

The image has its own Python and none of ours. So it is a container of its own, in which a worker
runs what the driver leaves in the scratch volume of the two: first its framework.yml is fetched and
held to what was asked, then each task is run by the image's own NeMo Evaluator.
"""

import sys
from pathlib import Path

from proctor_crds.wire import RunResult, RunSpec, Unscored
from proctor_harness.harnesses import eval_factory_report, parameters
from proctor_harness.harnesses.protocol import Problem, Workspace
from proctor_harness.items import Item

REPORT = "results.yml"
CONFIGURATION = "run_config.yml"
COMMAND = "command.sh"


def validate(run: RunSpec) -> list[Problem]:
    """Check the sampling; tasks and extras are known when the image was asked."""
    return [
        *parameters.sampling(run),
        *parameters.unsupported(run, "the container's framework", ["few_shot"]),
        *parameters.yaml_values(run),
    ]


def preflight(_run: RunSpec, workspace: Workspace) -> list[str]:
    """Fetch the framework, and write each task's configuration."""
    module = "proctor_harness.harnesses.container_preflight"
    argv = [sys.executable, "-m", module, "--output-dir", str(workspace.output_dir)]
    argv += ["--base-url", workspace.base_url]
    return argv if workspace.judge_url is None else [*argv, "--judge-url", workspace.judge_url]


def commands(run: RunSpec, workspace: Workspace) -> list[list[str]]:
    """One run of the image's NeMo Evaluator for each task."""
    return [_evaluate(workspace.output_dir / task / CONFIGURATION) for task in run.tasks]


def parse(run: RunSpec, output_dir: Path) -> RunResult:
    """Read each task's results.yml."""
    reports = {task: output_dir / task / REPORT for task in run.tasks}
    found = {
        task: eval_factory_report.records(path) if path.exists() else []
        for task, path in reports.items()
    }
    return RunResult(
        results=[record for records in found.values() for record in records],
        unscored=[
            Unscored(task=task, why=f"the container left no score in {REPORT}")
            for task, records in found.items()
            if not records
        ],
    )


def items(_output_dir: Path) -> list[Item]:
    """None: a framework's files are its own."""
    return []


def _evaluate(configuration: Path) -> list[str]:
    remote = [sys.executable, "-m", "proctor_harness.harnesses.container_remote"]
    return [*remote, "nemo-evaluator", "run_eval", "--run_config", str(configuration)]
