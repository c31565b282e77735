"""Run in the harness's environment: bigcode, which has every program executed in the sandbox.

Its arguments are those of `bigcode_guarded`. bigcode's own estimator judges the verdicts, which are
kept beside its report.
"""

import json
import os
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

from proctor_harness.harnesses import bigcode_guarded
from proctor_harness.sandbox import client

VERDICTS_FILE = "verdicts.jsonl"
"""Of each program its sample, which of the sample's answers it is, and what became of it."""


class Checker:
    """In place of bigcode's check_correctness; called by several threads."""

    def __init__(self, port: int, verdicts: Path) -> None:
        self._port = port
        self._verdicts = verdicts
        self._lock = Lock()

    def __call__(
        self, program: str, timeout: float, task_id: int, completion_id: int
    ) -> dict[str, Any]:
        """The record of one program, as bigcode has it."""
        passed, result = client.execute(self._port, program, timeout)
        record = {
            "task_id": task_id,
            "completion_id": completion_id,
            "passed": passed,
            "result": result,
        }
        with self._lock, self._verdicts.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        return record


def main() -> None:
    """Be bigcode, with another place to execute in."""
    from bigcode_eval.tasks.custom_metrics import code_eval, execute  # noqa: PLC0415  only there

    asking = bigcode_guarded.taken()
    check = Checker(int(os.environ["PORT_SANDBOX"]), asking.folder / VERDICTS_FILE)
    function: Any = code_eval.compute_code_eval
    assert function.__defaults__[-1] is execute.check_correctness, "as in 26.3"  # noqa: S101
    function.__defaults__ = (*function.__defaults__[:-1], check)
    execute.unsafe_execute = refuse
    bigcode_guarded.run(asking, lambda task: task)


def refuse(*_: object) -> NoReturn:
    """In place of what executes a program where the harness is."""
    raise RuntimeError("a program that the model wrote is executed in the sandbox alone")


if __name__ == "__main__":
    main()
