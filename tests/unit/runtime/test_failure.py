import subprocess
import sys
from pathlib import Path

import pytest

from proctor_crds.reasons import Reason
from proctor_crds.wire import TERMINATION_LIMIT, Failure
from proctor_runtime.failure import report


def test_the_message_is_what_the_operator_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "termination-log"
    monkeypatch.setenv("TERMINATION_MESSAGE_PATH", str(path))
    report(Reason.CHECKPOINT_NOT_FOUND, "no checkpoint")
    failure = Failure.model_validate_json(path.read_text())
    assert failure == Failure(reason="CheckpointNotFound", message="no checkpoint")


@pytest.mark.parametrize("text", ["x", '"', "é", "\n"])
def test_a_long_message_stays_readable_within_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = tmp_path / "termination-log"
    monkeypatch.setenv("TERMINATION_MESSAGE_PATH", str(path))
    report(Reason.RUNTIME_CRASHED, text * 10_000)
    assert path.stat().st_size <= TERMINATION_LIMIT
    assert Failure.model_validate_json(path.read_text()).reason == "RuntimeCrashed"


def test_without_a_kubelet_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERMINATION_MESSAGE_PATH", raising=False)
    report(Reason.RUNTIME_CRASHED, "nobody listens")


DEATH = """
import threading
from proctor_runtime.engine.protocol import EngineDeadError
from proctor_runtime.serve import die

dying = threading.Thread(target=die, args=(EngineDeadError("a rank died"),))
dying.start()
dying.join()
"""


def test_a_server_ends_also_where_its_last_words_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERMINATION_MESSAGE_PATH", str(tmp_path / "none" / "termination-log"))
    ended = subprocess.run([sys.executable, "-c", DEATH], check=False, capture_output=True)
    assert ended.returncode == 1
    assert b"a rank died" in ended.stderr
