"""Run in the harness's environment: bigcode, whose answers have seeds, and whole or in a share.

``bigcode_guarded FOLDER SEED SHARD SHARDS ARGUMENT...``, the arguments being bigcode's.

Of several answers to a problem bigcode asks each with a seed that no other run draws again. Here
they follow from the evaluation's, so that a run that is resumed finds its answers.
"""

import json
import os
import random
import runpy
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proctor_harness.harnesses.shares import Share

REFERENCES_FILE = "references.json"
"""Of each problem its language, and what its answers are compared with."""
ALL = "all"
"""In place of a language, where a task has but one."""
Method = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Asking:
    """The arguments before bigcode's own."""

    folder: Path
    seed: int
    share: Share


def main() -> None:
    """Be bigcode, for a task of which answers are compared with references."""
    asking = taken()
    run(asking, noted(asking.folder))


def taken() -> Asking:
    """Take our own arguments from the command line."""
    folder, seed, shard, shards = sys.argv[1:5]
    del sys.argv[1:5]
    return Asking(Path(folder), int(seed), Share(int(shard), int(shards)))


def run(asking: Asking, scoring: Callable[[Any], Any]) -> None:
    """Be bigcode; `scoring` makes its task ready for being scored."""
    from bigcode_eval import tasks  # noqa: PLC0415  only there
    from bigcode_eval.server.base_server import Server  # noqa: PLC0415

    asking.folder.mkdir(parents=True, exist_ok=True)
    # Where a folder has a dataset's name, as that of the task mbpp has, it passes for the dataset.
    os.chdir(asking.folder)
    Server.generate = seeded(Server.generate, asking.seed)
    get_task: Method = tasks.get_task

    def ready(name: str, arguments: Any) -> Any:
        task = get_task(name, arguments)
        whole = asking.share.shards == 1
        return scoring(task) if whole else shared(task, arguments.limit, asking.share)

    tasks.get_task = ready
    runpy.run_module("bigcode_eval.main_server", run_name="__main__", alter_sys=True)


def seeded(generate: Method, seed: int) -> Method:
    """`generate`, in which the seeds of a problem's answers follow from one seed and the problem.

    It is called with one problem as often as it is to be answered, or with several problems once
    each, and then sends no seed.
    """

    def generated(server: Any, input_texts: Sequence[Any], *more: Any, **named: Any) -> Any:
        random.seed(f"{seed} {input_texts[0]}")
        return generate(server, input_texts, *more, **named)

    return generated


def shared(task: Any, limit: int | None, share: Share) -> Any:
    """The task with a share of its problems; what becomes of the answers is no matter here."""
    own = share.of(list(task.get_dataset())[:limit])
    task.get_dataset = lambda: own
    task.postprocess_generation = lambda answer, _number: answer
    return task


def noted(folder: Path) -> Callable[[Any], Any]:
    """Keep beside the answers what they are compared with; bigcode tells the sums alone."""

    def ready(task: Any) -> Any:
        judge: Method = task.process_results

        def judged(answers: Any, references: Sequence[str]) -> Any:
            problems = zip(task.get_dataset(), references, strict=False)  # there may be a limit
            told = [
                {"language": problem.get("language", ALL), "reference": reference}
                for problem, reference in problems
            ]
            (folder / REFERENCES_FILE).write_text(json.dumps(told), encoding="utf-8")
            return judge(answers, references)

        task.process_results = judged
        return task

    return ready


if __name__ == "__main__":
    main()
