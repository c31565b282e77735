"""The Berkeley Function Calling Leaderboard v3, as NVIDIA packages it (nvidia-bfcl).

Its questions come with it. A task is one of its categories or one of its collections of them.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from proctor_crds import catalogue
from proctor_crds.wire import RunResult, RunSpec, Unscored
from proctor_harness.harnesses import bfcl_report, parameters
from proctor_harness.harnesses.protocol import PreflightReport, Problem, Workspace
from proctor_harness.harnesses.shares import Share

EXTRAS = ("nativeCalling",)
UNSUPPORTED = ("few_shot", "top_p", "max_new_tokens")


def validate(run: RunSpec) -> list[Problem]:
    """Check tasks, sampling and the model's name, out of which bfcl reads more than it should."""
    return [
        *parameters.tasks(run),
        *parameters.sampling(run),
        *parameters.unsupported(run, "bfcl", UNSUPPORTED),
        *parameters.extras(run, "bfcl", EXTRAS),
        *parameters.flags(run, EXTRAS),
        *_name_problems(run.model),
    ]


def preflight(run: RunSpec, _workspace: Workspace) -> PreflightReport:
    """Count the questions: one request each."""
    found = [catalogue.find("bfcl", name) for name in categories(run.tasks)]
    sizes = [task.samples for task in found if task and task.samples]
    limit, share = run.params.limit_samples, Share(run.shard, run.shards)
    asked = [sum(sizes)] if limit is None else [min(n, limit) for n in sizes]
    return PreflightReport(total=sum(map(share.size, asked)), tools=native_calling(run))


def native_calling(run: RunSpec) -> bool:
    """Whether the server is given the functions; else the prompt tells of them."""
    return parameters.flag(run.params.extra.get("nativeCalling", "false"))


def commands(run: RunSpec, workspace: Workspace) -> list[list[str]]:
    """Ask each category, then judge all, unless it is but a share.

    bfcl's limit is one for all categories together, and the first would take it up alone.
    """
    asked = categories(run.tasks)
    generate = ["generate", "--num-threads", str(run.params.parallelism)]
    if run.params.temperature is not None:
        generate += ["--temperature", run.params.temperature]
    together = [",".join(asked)]
    if run.params.limit_samples is not None:
        generate += ["--limit", str(run.params.limit_samples)]
        together = asked
    asking = [_bfcl([*generate, "--test-category", each], run, workspace) for each in together]
    return asking if run.shards > 1 else [*asking, _evaluate(asked, run, workspace)]


def parse(run: RunSpec, output_dir: Path) -> RunResult:
    """Read each category's score file.

    bfcl's tables are no source: they give categories that were never asked the score 0.
    """
    found = bfcl_report.scores(output_dir)
    asked = categories(run.tasks)
    unscored = [
        Unscored(task=category, why=bfcl_report.doubt(category, found.get(category)))
        for category in asked
        if bfcl_report.doubt(category, found.get(category))
    ]
    doubtful = {part.task for part in unscored}
    unscored += [
        Unscored(task=task, why="none of its categories has a score")
        for task in run.tasks
        if task not in doubtful and doubtful.issuperset(categories([task]))
    ]
    good = [bfcl_report.record(found[name]) for name in asked if name not in doubtful]
    return RunResult(results=good, unscored=unscored)


items = bfcl_report.items


def categories(tasks: Iterable[str]) -> list[str]:
    """The categories of the tasks, each once, in the order asked."""
    return list(dict.fromkeys(name for task in tasks for name in _members(task)))


def _members(task: str) -> list[str]:
    return [member.name for member in catalogue.members("bfcl", task)] or [task]


def _evaluate(asked: list[str], run: RunSpec, workspace: Workspace) -> list[str]:
    argv = ["evaluate", "--score-dir", str(workspace.output_dir)]
    return _bfcl([*argv, "--test-category", ",".join(asked)], run, workspace)


def _bfcl(argv: list[str], run: RunSpec, workspace: Workspace) -> list[str]:
    native = native_calling(run)
    url = f"{workspace.base_url}/chat/completions"
    return [
        *(sys.executable, "-m", *_module(run), *argv),
        *("--model", run.model, "--model-mapping", "oai"),
        *("--model-args", f"base_url={url},native_calling={native}"),
        *("--result-dir", str(workspace.output_dir)),
    ]


def _module(run: RunSpec) -> list[str]:
    if run.shards == 1:
        return ["proctor_harness.harnesses.bfcl_guarded"]
    return ["proctor_harness.harnesses.bfcl_share", str(run.shard), str(run.shards)]


def _name_problems(model: str) -> list[Problem]:
    if "," in model:
        remedy = "bfcl takes it for several models; serve it under a name without commas"
        return [Problem("model", model, remedy)]
    if "FC" in model or "o1" in model:
        remedy = "bfcl sees FC and o1 in a name as OpenAI's models; serve it under another name"
        return [Problem("model", model, remedy)]
    return []
