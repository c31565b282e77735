"""A claim that keeps what runs were answered, whose files this machine reads beside the pods."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kube import LONG_SECONDS, Kubectl, Manifest, eventually

CLAIM = "answers"


@dataclass(frozen=True)
class Answers:
    """The claim `answers`, a folder of the machine that the node runs on."""

    folder: Path

    def paid(self, run: str) -> int:
        """Questions of a run that its target answered; one that was asked again counts again."""
        lines = [line for log in (self.folder / run).rglob("requests.jsonl") for line in whole(log)]
        asked = (line for line in lines if line["status"] == 200 and not line.get("cached"))
        return sum(line["items"] for line in asked)

    def grow(self, run: str, questions: int = 50) -> None:
        """Wait until so many more questions were answered, and some are left."""
        enough = self.paid(run) + questions
        eventually(lambda: self.paid(run) >= enough, LONG_SECONDS)


def whole(log: Path) -> Iterator[Any]:
    """Lines of a log that is being written, but for what a writer did not come to the end of."""
    for line in log.read_bytes().split(b"\n")[:-1]:
        with suppress(ValueError):
            yield json.loads(line)


def provide(kubectl: Kubectl, folder: Path) -> Answers:
    """Make the claim in the namespace."""
    folder.mkdir(parents=True)
    folder.chmod(0o777)  # pods write as another user
    kubectl.apply(*volume(kubectl.namespace, folder))
    return Answers(folder)


def volume(namespace: str, folder: Path) -> list[Manifest]:
    """The claim and its volume; no default storage class is asked for either."""
    modes, size = ["ReadWriteOnce"], {"storage": "64Mi"}
    source = {"hostPath": {"path": str(folder)}, "storageClassName": ""}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": folder.name},
            "spec": {"capacity": size, "accessModes": modes, **source},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": CLAIM, "namespace": namespace},
            "spec": {
                "accessModes": modes,
                "storageClassName": "",
                "volumeName": folder.name,
                "resources": {"requests": size},
            },
        },
    ]
