"""In what order a server begins."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from proctor_crds.reasons import Reason
from proctor_runtime import serve
from proctor_runtime.engine.megatron.source import ModelSource
from proctor_runtime.failure import RejectedError
from proctor_runtime.settings import Settings, parse

ARGUMENTS = ["serve", "--checkpoint=/m/c", "--tokenizer=/m/t", "--served-model-name=x"]


@pytest.fixture
def large_checkpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One that takes long to hash."""
    is_hashed = threading.Event()

    def digest(_: ModelSource) -> str:
        is_hashed.wait(20)
        return "sha256:abc"

    monkeypatch.setattr(ModelSource, "read_config", lambda _: None)
    monkeypatch.setattr(ModelSource, "digest", digest)
    monkeypatch.setattr(serve, "HuggingFaceTokenizer", lambda *_: None)
    yield
    is_hashed.set()


@pytest.mark.usefixtures("large_checkpoint")
def test_a_rejection_does_not_wait_for_the_checkpoints_digest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: ModelSource) -> Any:
        raise RejectedError(Reason.KV_CACHE_TOO_SMALL, "it holds nothing")

    monkeypatch.setattr(serve, "load_engine", refuse)
    settings = parse(ARGUMENTS)
    assert isinstance(settings, Settings)
    begin = time.monotonic()
    with pytest.raises(RejectedError, match="it holds nothing"):
        serve.serve(settings)
    assert time.monotonic() - begin < 10
