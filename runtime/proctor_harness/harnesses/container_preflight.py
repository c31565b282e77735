"""The look ahead of `container`: the image's framework.yml, held to what was asked of it."""

import argparse
import os
import sys
from pathlib import Path

import yaml

from proctor_crds.reasons import Reason
from proctor_crds.wire import Failure, RunSpec
from proctor_harness.harnesses import eval_factory
from proctor_harness.harnesses.container import COMMAND, CONFIGURATION
from proctor_harness.harnesses.container_remote import ask
from proctor_harness.harnesses.eval_factory import FrameworkError, Tree
from proctor_harness.harnesses.protocol import PREFLIGHT_FILE, PreflightReport

FRAMEWORKS = "frameworks"
"""Where the worker copies what it finds."""
FIND = """
import pathlib, shutil, sys
found = [p for b in sys.path for n in ("nemo_evaluator", "core_evals")
         for p in sorted(pathlib.Path(b or ".").glob(n + "/*/framework.yml"))]
found += sorted(pathlib.Path("/opt/metadata").glob("**/framework.yml"))
for i, path in enumerate(found):
    shutil.copyfile(str(path), sys.argv[1] + "/%03d.yml" % i)
"""
"""Run in the image: NVIDIA's have the file in a package, and most once more in /opt/metadata."""


def main() -> int:
    """Write `PREFLIGHT_FILE`, and of each task the configuration and the command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--judge-url")
    arguments = parser.parse_args()
    run = RunSpec.model_validate_json(os.environ["RUN_SPEC"])
    folder: Path = arguments.output_dir / FRAMEWORKS
    folder.mkdir()
    if code := ask(["python3", "-c", FIND, str(folder)]):
        return code
    try:
        failure = look(run, frameworks(folder), arguments)
    except FrameworkError as error:
        failure = Failure(reason=Reason.PARAMETER_INVALID, message=str(error))
    report = PreflightReport(failure=failure)
    content = report.model_dump_json(by_alias=True, exclude_none=True)
    (arguments.output_dir / PREFLIGHT_FILE).write_text(content, encoding="utf-8")
    return 0


def frameworks(folder: Path) -> dict[str, Tree]:
    """The tasks of all frameworks of the image, by name; the first of a name counts.

    Raises FrameworkError.
    """
    found: dict[str, Tree] = {}
    for path in sorted(folder.iterdir()):
        try:
            framework = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise FrameworkError(f"the image's framework.yml is no YAML: {error}") from error
        found = eval_factory.tasks(framework) | found
    return found


def look(run: RunSpec, known: dict[str, Tree], arguments: argparse.Namespace) -> Failure | None:
    """Write what will be run; gives why nothing can be. Raises FrameworkError."""
    if not known:
        words = "the image has no framework.yml: it is no Eval-Factory image"
        return Failure(reason=Reason.PARAMETER_INVALID, message=words)
    if unknown := [name for name in run.tasks if name not in known]:
        words = "; ".join(eval_factory.unknown(name, known) for name in unknown)
        return Failure(reason=Reason.UNKNOWN_TASK, message=words)
    found = [problem for name in run.tasks for problem in eval_factory.problems(known[name], run)]
    if found:
        return Failure(reason=Reason.PARAMETER_INVALID, message="; ".join(map(str, found)))
    for name in run.tasks:
        _prepare(name, known[name], run, arguments)
    return None


def _prepare(name: str, defaults: Tree, run: RunSpec, arguments: argparse.Namespace) -> None:
    folder: Path = arguments.output_dir / name
    configuration = eval_factory.configured(
        defaults, run, arguments.base_url, arguments.judge_url, folder
    )
    folder.mkdir()
    (folder / COMMAND).write_text(eval_factory.command(configuration), encoding="utf-8")
    asked = {key: configuration[key] for key in ("config", "target")}
    (folder / CONFIGURATION).write_text(yaml.safe_dump(asked), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
