"""kubectl and the operator as processes, for the tiers with a real apiserver."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

Manifest = dict[str, Any]
PATIENCE_SECONDS = 60
LONG_SECONDS = 900
"""For what a node takes minutes to do: many times what it takes when nothing else runs."""


class RefusedError(Exception):
    """kubectl's words where it failed."""


@dataclass(frozen=True)
class Kubectl:
    """The real kubectl, on one cluster and namespace."""

    binary: Path
    kubeconfig: Path
    namespace: str = "default"

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        command = [str(self.binary), "--kubeconfig", str(self.kubeconfig), "-n", self.namespace]
        done = subprocess.run(
            [*command, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise RefusedError(done.stderr)
        return done.stdout

    def apply(self, *manifests: Manifest) -> None:
        """Server-side, as its users' GitOps does."""
        self("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(manifests))

    def get(self, kind: str, name: str) -> Manifest | None:
        """The object or None."""
        found = self("get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(found) if found else None

    def list(self, kind: str, selector: str = "") -> list[Manifest]:
        """Objects of a kind."""
        found: list[Manifest] = json.loads(self("get", kind, "-l", selector, "-o", "json"))["items"]
        return found

    def patch_status(self, kind: str, name: str, status: Manifest) -> None:
        """What a controller or kubelet would have written."""
        patch = json.dumps({"status": status})
        self("patch", kind, name, "--subresource=status", "--type=merge", "-p", patch)

    def condition(self, kind: str, name: str, type_: str) -> Manifest:
        """A condition of a Proctor resource; empty where there is none."""
        status = (self.get(kind, name) or {}).get("status") or {}
        found = [c for c in status.get("conditions", []) if c["type"] == type_]
        return found[0] if found else {}

    def wait_condition(
        self,
        kind: str,
        name: str,
        type_: str,
        status: str,
        reason: str,
        seconds: float = PATIENCE_SECONDS,
        words: str = "",
    ) -> str:
        """Wait until the condition reads so, with such words in its message; returns that."""

        def so() -> str | None:
            found = self.condition(kind, name, type_)
            same = (found.get("status"), found.get("reason")) == (status, reason)
            return found["message"] if same and words in found["message"] else None

        try:
            return str(eventually(so, seconds))
        except AssertionError:
            seen = self.condition(kind, name, type_)
            raise AssertionError(
                f"{kind}/{name} {type_}: wanted {status} {reason} {words}: {seen}"
            ) from None


def eventually(probe: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """The first truthy answer of `probe` within so many seconds."""
    deadline = time.monotonic() + seconds
    # kubectl is a process each time: what takes minutes is not asked ten times a second.
    pause = 0.1 if seconds <= PATIENCE_SECONDS else 0.5
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s")
        time.sleep(pause)


class OperatorProcess:
    """`python -m proctor_operator` outside the cluster."""

    def __init__(
        self,
        kubeconfig: Path,
        log: Path,
        environment: Mapping[str, str] = {},
        module: str = "proctor_operator",
    ) -> None:
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig), **environment}
        self._log = log
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it is alive."""
        url = self.launch()
        eventually(lambda: alive(url))

    def launch(self) -> str:
        """Start; the address of its liveness probe."""
        port = free_port()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                env={**self._environment, "LIVENESS_PORT": str(port)},
                stdout=log,
                stderr=log,
            )
        return f"http://127.0.0.1:{port}/healthz"

    def ended(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait until it ends by itself; its exit status."""
        assert self._process
        status = self._process.wait(timeout=seconds)
        self._process = None
        return status

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it, gently or not."""
        if self._process:
            self._process.send_signal(number)
            self._process.wait(timeout=30)
            self._process = None


def alive(url: str) -> bool:
    """Whether `url` answers 200."""
    try:
        return httpx.get(url, timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
