"""The whole serving process, as the pod runs it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

START_SECONDS = 420
"""Generous: the imports alone take a minute on a machine that does much else."""

PORTS = ("PORT_HTTP", "PORT_TRITON_HTTP", "PORT_TRITON_GRPC", "PORT_TRITON_METRICS")


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [s.getsockname()[1] for s in sockets]
    for one in sockets:
        one.close()
    return ports


class Server:
    def __init__(self, checkpoint: Path, tokenizer: Path, home: Path, *more: str) -> None:
        ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
        self.url = f"http://127.0.0.1:{ports['PORT_HTTP']}"
        self.triton = f"127.0.0.1:{ports['PORT_TRITON_HTTP']}"
        self.grpc = f"127.0.0.1:{ports['PORT_TRITON_GRPC']}"
        self.triton_metrics = f"127.0.0.1:{ports['PORT_TRITON_METRICS']}"
        self.last_words = home / "termination-log"
        self.log = home / "log"
        environment = {
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            "HOME": str(home),
            "BIND_ADDRESS": "127.0.0.1",
            "TERMINATION_MESSAGE_PATH": str(self.last_words),
            **ports,
        }
        arguments = [
            f"--checkpoint={checkpoint}",
            f"--tokenizer={tokenizer}",
            "--served-model-name=tiny",
            *more,
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "proctor_runtime", "serve", *arguments],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=home,
            )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if httpx.get(f"{self.url}/v1/health/ready", timeout=20).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        raise AssertionError(self.log.read_text())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def serving(checkpoint: Path, tokenizer: Path, home: Path, *more: str) -> Iterator[Server]:
    server = Server(checkpoint, tokenizer, home, *more)
    try:
        server.wait_ready()
        yield server
    finally:
        server.process.kill()
        server.process.wait()
