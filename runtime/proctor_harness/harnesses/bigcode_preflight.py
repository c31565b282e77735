"""Run in the harness's environment: load each task's data, and count its samples by language.

bigcode's report gives a language of which there was no sample the score 0, and no counts.
"""

import argparse
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from proctor_crds import catalogue
from proctor_crds.reasons import Reason
from proctor_crds.wire import Failure
from proctor_harness.harnesses.bigcode_guarded import ALL
from proctor_harness.harnesses.protocol import PREFLIGHT_FILE, PreflightReport
from proctor_harness.harnesses.shares import Share
from proctor_harness.sandbox import client

COUNTS_FILE = "samples.json"
"""By task and language, how many samples there are."""


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--shard", type=int, default=0)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("tasks", nargs="+")
    arguments = parser.parse_args()
    counts = {name: count(name, arguments.limit) for name in arguments.tasks}
    share = Share(arguments.shard, arguments.shards)
    asked = sum(share.size(sum(found.values())) for found in counts.values())
    report = PreflightReport(total=asked * arguments.samples)
    if missing := [name for name, found in counts.items() if not found]:
        words = f"no data of {', '.join(missing)}: is the hub at HF_ENDPOINT reachable?"
        report = PreflightReport(failure=Failure(reason=Reason.UNSCORED, message=words))
    if why := closed(arguments.tasks):
        report = PreflightReport(failure=Failure(reason=Reason.HARNESS_FAILED, message=why))
    (arguments.output_dir / COUNTS_FILE).write_text(json.dumps(counts), encoding="utf-8")
    content = report.model_dump_json(by_alias=True, exclude_none=True)
    (arguments.output_dir / PREFLIGHT_FILE).write_text(content, encoding="utf-8")


def count(name: str, limit: int | None) -> dict[str, int]:
    """Samples by language; none where the data cannot be had, of which bigcode only warns."""
    from bigcode_eval import tasks  # noqa: PLC0415  only in bigcode's environment

    task: Any = tasks.TASK_REGISTRY[name]()
    try:
        samples = task.get_dataset()
    except AttributeError:
        return {}
    return Counter(sample.get("language", ALL) for sample in list(samples)[:limit])


def closed(tasks: list[str]) -> str | None:
    """Why the code of these tasks cannot be executed."""
    found = [catalogue.find("bigcode", name) for name in tasks]
    if not any("sandbox" in task.needs for task in found if task):
        return None
    if "PORT_SANDBOX" not in os.environ:
        return "the pod has no sandbox for the code that the model writes"
    why = client.refusal(int(os.environ["PORT_SANDBOX"]))
    return why and f"the sandbox executes nothing: {why}"


if __name__ == "__main__":
    main()
