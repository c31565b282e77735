"""Run in the harness's environment: find the tasks that do not exist, and count requests."""

import argparse
import difflib
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub.errors import LocalEntryNotFoundError
from lm_eval.tasks import TaskManager

from proctor_crds.reasons import Reason
from proctor_crds.wire import Failure
from proctor_harness.harnesses.lm_eval_tasks import index
from proctor_harness.harnesses.protocol import PREFLIGHT_FILE, PreflightReport


def main() -> None:
    """Write the report; its `failure` is an answer, not an error."""
    arguments = _arguments()
    asked = Asked(arguments.limit, arguments.shard, arguments.shards)
    report = inspect(arguments.tasks, arguments.include_path, asked, arguments.endpoint_type)
    content = report.model_dump_json(by_alias=True, exclude_none=True)
    (arguments.output_dir / PREFLIGHT_FILE).write_text(content, encoding="utf-8")


class Asked(NamedTuple):
    """Which samples of each task are asked."""

    limit: int | None = None
    shard: int = 0
    shards: int = 1

    def of(self, samples: Iterable[Any]) -> Iterator[Any]:
        """Those of the samples."""
        return islice(islice(samples, self.limit), self.shard, None, self.shards)


def inspect(
    names: list[str], include_path: str | None, asked: Asked, endpoint_type: str
) -> PreflightReport:
    """Look for the tasks, load them, and count what they will ask."""
    manager = index(names, include_path)
    if unknown := {name: near(name, manager) for name in names if not manager.match_tasks([name])}:
        return PreflightReport(failure=unknown_tasks(unknown))
    try:
        tasks = manager.load(manager.match_tasks(names))["tasks"]
        total = sum(requests(task, asked) for task in tasks.values())
    except (ConnectionError, FileNotFoundError) as error:
        return PreflightReport(failure=no_data(error))
    except Exception as error:
        # A task is anybody's code. The run will hit the same wall and report it; a count is not
        # worth a failure of its own.
        print(f"preflight could not count the requests: {error!r}", file=sys.stderr)
        return PreflightReport()
    scoring = sorted(filter(None, map(needs_logprobs, tasks.values())))
    if endpoint_type == "chat" and scoring:
        return PreflightReport(failure=no_logprobs(scoring))
    return PreflightReport(total=total, logprobs=bool(scoring))


def near(name: str, manager: TaskManager) -> list[str]:
    """The known tasks that look like `name`."""
    return difflib.get_close_matches(name, manager.all_tasks, n=5)


def unknown_tasks(unknown: dict[str, list[str]]) -> Failure:
    """Say which tasks do not exist, and what may have been meant."""
    hints = [
        f"{name!r}: did you mean {', '.join(choices)}?" if choices else f"{name!r}"
        for name, choices in unknown.items()
    ]
    message = f"lm-eval has no task {'; '.join(hints)}"
    return Failure(reason=Reason.UNKNOWN_TASK, message=message)


def no_data(error: ConnectionError | FileNotFoundError) -> Failure:
    """Say that a task's data cannot be had: for now, or at all."""
    # `datasets` takes a file that the hub did not give for one that is not there.
    if isinstance(error, ConnectionError) or isinstance(error.__cause__, LocalEntryNotFoundError):
        remedy = "mend the way to the hub, or name a mirror in datasets.hub.endpoint"
        reason = Reason.SOURCE_UNREACHABLE
    else:
        remedy = "check the task's dataset_path and data_files, and datasets"
        reason = Reason.PREFLIGHT_FAILED
    return Failure(reason=reason, message=f"a task's data cannot be had: {error}; {remedy}")


def no_logprobs(tasks: list[str]) -> Failure:
    """Say which tasks a chat endpoint cannot answer."""
    message = (
        f"endpointType='chat': {', '.join(tasks)} score log-probabilities, which a chat endpoint"
        " does not give; use endpointType completions, or tasks that generate"
    )
    return Failure(reason=Reason.PARAMETER_INVALID, message=message)


def needs_logprobs(task: Any) -> str | None:
    """Name the task if it scores log-probabilities."""
    return None if task.OUTPUT_TYPE == "generate_until" else str(task.task_name)


def requests(task: Any, asked: Asked) -> int:
    """Count the requests of a task without building its prompts."""
    docs = asked.of(task.eval_docs)
    repeats = int(task.config.repeats or 1)
    return repeats * sum(_choices(task, docs))


def _choices(task: Any, docs: Iterable[dict[str, Any]]) -> Iterable[int]:
    if task.OUTPUT_TYPE != "multiple_choice":
        return (1 for _ in docs)
    # acc_mutual_info asks each choice once more, without its context.
    metrics = [metric["metric"] for metric in task.config.metric_list or ()]
    times = 2 if "acc_mutual_info" in metrics else 1
    return (times * len(task.doc_to_choice(doc)) for doc in docs)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument("--include-path")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--shard", type=int, default=0)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--endpoint-type", default="completions")
    parser.add_argument("tasks", nargs="+")
    return parser.parse_args()


if __name__ == "__main__":
    main()
