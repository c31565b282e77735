"""The operator's process, with a controller in which a look never ends."""

import sys
from typing import Any

import kopf

from proctor_operator.__main__ import main
from tests.kube import Manifest


class Stuck:
    """Notes nothing, and gets nowhere."""

    def changed(self, manifest: Manifest) -> None:
        """One more to look at, some day."""

    def stuck(self) -> str | None:
        return "EvaluationRun a has been reconciled for 600 s"


@kopf.on.startup()
async def get_stuck(memo: kopf.Memo, **_: Any) -> None:
    """Comes after the operator's own startup."""
    memo.controller = Stuck()


if __name__ == "__main__":
    sys.exit(main())
