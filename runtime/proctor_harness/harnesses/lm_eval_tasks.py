"""Run in the harness's environment: lm-eval, which reads no more tasks than need be.

lm-eval 0.4.13 reads its own 14,000 task files at each start, ten seconds of a CPU, whether a task
of theirs is asked for or not.
"""

from collections.abc import Iterable
from typing import Any

import lm_eval.tasks
from lm_eval.__main__ import cli_evaluate
from lm_eval.config.evaluate_config import EvaluatorConfig
from lm_eval.tasks import TaskManager


def main() -> None:
    """``lm_eval_tasks`` and then lm-eval's own arguments."""
    spare_the_index()
    cli_evaluate()


def index(names: Iterable[str], include_path: str | None, **more: Any) -> TaskManager:
    """The given directory's tasks alone where all names are tasks of it, else lm-eval's too.

    A group's or a tag's tasks may be lm-eval's own, and so may those that a pattern matches.
    """
    if include_path:
        given = TaskManager(include_path=include_path, include_defaults=False, **more)
        if set(names) <= set(given.all_subtasks):
            return given
    return TaskManager(include_path=include_path, **more)


def spare_the_index() -> None:
    """Let lm-eval's command make its task manager by `index`."""
    process = EvaluatorConfig.process_tasks

    def processed(config: EvaluatorConfig, metadata: dict[str, Any] | None = None) -> TaskManager:
        def manager(include_path: str | None, metadata: dict[str, Any]) -> TaskManager:
            return index(config.tasks or (), include_path, metadata=metadata)

        lm_eval.tasks.TaskManager = manager  # where `process_tasks` looks it up
        return process(config, metadata)

    EvaluatorConfig.process_tasks = processed


if __name__ == "__main__":
    main()
