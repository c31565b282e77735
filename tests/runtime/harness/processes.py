"""Start the pod's two processes as the pod does."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class AdapterProcess:
    process: "subprocess.Popen[bytes]"
    port: int
    artifacts: Path
    output: Path
    """What it printed."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def progress(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/progress") as response:  # noqa: S310
            body: dict[str, Any] = json.load(response)
        return body

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)

    def kill(self) -> None:
        """End it where it stands."""
        self.process.kill()
        self.process.wait(30)

    def log(self) -> list[dict[str, Any]]:
        """The per-item log; stop the adapter first, which writes what is pending."""
        lines = (self.artifacts / "requests.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@contextlib.contextmanager
def adapter(upstream: str, artifacts: Path, **env: str) -> Iterator[AdapterProcess]:
    port = free_port()
    output = artifacts.with_name(f"{artifacts.name}.{port}.log")
    environ = os.environ | {
        "UPSTREAM_URL": upstream,
        "PORT_ADAPTER": str(port),
        "BIND_ADDRESS": "127.0.0.1",
        "MOUNT_ARTIFACTS": str(artifacts),
        **env,
    }
    with (
        output.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-m", "proctor_harness.adapter"], env=environ, stderr=file, stdout=file
        ) as process,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/healthz")
            yield AdapterProcess(process, port, artifacts, output)
        finally:
            process.kill()
            process.wait()
            sys.stderr.write(output.read_text(errors="replace"))


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url).close()  # noqa: S310
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def driver_environ(artifacts: Path, port: int, spec: dict[str, Any], **env: str) -> dict[str, str]:
    return os.environ | {
        "RUN_SPEC": json.dumps(spec),
        "BASE_URL": f"http://127.0.0.1:{port}/v1",
        "PORT_ADAPTER": str(port),
        "MOUNT_ARTIFACTS": str(artifacts),
        "TERMINATION_MESSAGE_PATH": str(artifacts / "termination"),
        "HOME": str(artifacts / "home"),
        "HF_HUB_OFFLINE": "1",
        **env,
    }
