"""How the process gives up: the operator learns what is wrong from one JSON message."""

import os
from pathlib import Path

from proctor_crds.reasons import Reason
from proctor_crds.wire import Failure, termination_limit


class RejectedError(Exception):
    """The input is wrong and retrying cannot help; `reason` becomes the condition's."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def report(reason: Reason, message: str) -> None:
    """Write the failure where the kubelet reads a container's last words, if it reads any."""
    path = os.environ.get("TERMINATION_MESSAGE_PATH")
    if not path:
        return
    room = termination_limit(os.environ) - len(Failure(reason=reason, message="").model_dump_json())
    # Escapes can at most double ordinary text; a message this long has said it all long before.
    failure = Failure(reason=reason, message=message[: room // 2])
    Path(path).write_text(failure.model_dump_json(by_alias=True), encoding="utf-8")
