"""Triton starts on a machine that starves its processes."""

import asyncio
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.fake import FakeEngine
from proctor_runtime.engine.protocol import Completion, GenerateRequest
from proctor_runtime.settings import Addresses
from tests.runtime.characters import CharacterTokenizer
from tests.runtime.server_process import free_ports

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from proctor_runtime.transports.triton.server import started
    from proctor_runtime.transports.triton.text_model import TextModel
    from proctor_runtime.transports.triton.transport import TritonTransport

PATIENCE_SECONDS = 60


@pytest.fixture
def model() -> str:
    return f"m{uuid4().hex[:8]}"


@pytest.fixture
def transport(model: str) -> Iterator[TritonTransport]:
    batcher = Batcher(FakeEngine(), decode=CharacterTokenizer().decode)
    batcher.start()
    texts = TextModel(no_text, max_batch_size=4)
    transport = TritonTransport(batcher, texts, model, addresses())
    yield transport
    transport.stop()
    batcher.close()


async def no_text(_: dict[str, Any]) -> dict[str, Any]:
    raise AssertionError("nobody asks for texts")


def addresses() -> Addresses:
    http, triton, grpc, metrics = free_ports(4)
    return Addresses(
        bind="127.0.0.1", http=http, triton_http=triton, triton_grpc=grpc, triton_metrics=metrics
    )


def process_of(instance: str) -> int | None:
    """Return the process in which Triton runs this instance of the model, if there is one."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if instance.encode() in words:
            return int(folder.name)
    return None


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def first_instance_starved(model: str) -> Iterator[threading.Thread]:
    """Give the first instance no processor until the second has given up waiting for it; once."""
    first, second = f"{model}_0_0", f"{model}_0_1"

    def starve() -> None:
        wait_until(lambda: process_of(first) is not None)
        starved = process_of(first)
        assert starved is not None
        os.kill(starved, signal.SIGSTOP)
        wait_until(lambda: process_of(second) is not None)
        wait_until(lambda: process_of(second) is None)
        os.kill(starved, signal.SIGCONT)

    thread = threading.Thread(target=starve, daemon=True)
    thread.start()
    yield thread


def ask(transport: TritonTransport) -> Completion:
    async def generate() -> Completion:
        [completion] = await transport.generate([GenerateRequest(prompt=(5,), max_new_tokens=2)])
        await transport.close()
        return completion

    return asyncio.run(generate())


def test_a_late_process_costs_an_attempt_not_the_server(
    transport: TritonTransport, model: str, caplog: pytest.LogCaptureFixture
) -> None:
    with first_instance_starved(model) as starving:
        transport.start()
    assert not starving.is_alive()
    assert "too slow to greet each other" in caplog.text
    assert [scored.token for scored in ask(transport).tokens] == [6, 7]


@dataclass
class FailingServer:
    """In a server's place: fails to start."""

    error: Exception
    written: str = ""
    runs: int = 0
    stops: int = 0

    def run(self) -> None:
        self.runs += 1
        raise self.error

    def stop(self) -> None:
        self.stops += 1

    def log(self) -> str:
        return self.written


def test_another_failure_is_raised_at_once() -> None:
    server = FailingServer(OSError("no space left on device"))
    with pytest.raises(OSError, match="no space left"):
        started(lambda: server)
    assert (server.runs, server.stops) == (1, 1)


LATE = "in get_config_from_handshake_server: TimeoutError"


@pytest.mark.parametrize(
    "server",
    [
        FailingServer(RuntimeError(f"load failed: {LATE}")),
        FailingServer(RuntimeError("load failed: connection closed"), f"{LATE}\nSignal (6)"),
    ],
    ids=["Triton says so", "Triton breaks of it"],
)
def test_a_machine_that_stays_too_slow_is_given_up_in_time(server: FailingServer) -> None:
    with pytest.raises(RuntimeError, match="load failed"):
        started(lambda: server, seconds=0.05)
    assert server.runs == server.stops > 1
