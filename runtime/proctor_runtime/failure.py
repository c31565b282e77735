"""How the process gives up: what is wrong with its input reaches the operator in one JSON message."""

import os
from pathlib import Path

from proctor_crds.wire import TERMINATION_LIMIT, Failure


class RejectedError(Exception):
    """The input is wrong and retrying cannot help; `reason` is one of the operator's reasons."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CheckpointNotFoundError(RejectedError):
    """There is no checkpoint where the deployment says."""

    def __init__(self, message: str) -> None:
        super().__init__("CheckpointNotFound", message)


class CheckpointCorruptError(RejectedError):
    """The checkpoint's files cannot be read as what they claim to be."""

    def __init__(self, message: str) -> None:
        super().__init__("CheckpointCorrupt", message)


class CheckpointUnsupportedError(RejectedError):
    """The checkpoint is sound, and this runtime cannot serve its architecture."""

    def __init__(self, message: str) -> None:
        super().__init__("CheckpointUnsupported", message)


class TokenizerNotFoundError(RejectedError):
    """There is no usable tokenizer where the deployment says."""

    def __init__(self, message: str) -> None:
        super().__init__("TokenizerNotFound", message)


class ParallelismInvalidError(RejectedError):
    """The model cannot be split the way the deployment asks."""

    def __init__(self, message: str) -> None:
        super().__init__("ParallelismInvalid", message)


def report(reason: str, message: str) -> None:
    """Write the failure where the kubelet reads a container's last words, if it reads any."""
    path = os.environ.get("TERMINATION_MESSAGE_PATH")
    if not path:
        return
    room = TERMINATION_LIMIT - len(Failure(reason=reason, message="").model_dump_json())
    # Escapes can at most double ordinary text; a message this long has said it all long before.
    failure = Failure(reason=reason, message=message[: room // 2])
    Path(path).write_text(failure.model_dump_json(by_alias=True), encoding="utf-8")
