"""What to run for a container, and with what around it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from proctor_cli.local.container_files import ContainerFiles
from proctor_cli.local.environments import Environment, Environments
from proctor_cli.local.objects import Clock
from proctor_cli.local.ports import LOOPBACK, PodPorts
from proctor_cli.local.variables import Lookup, command_line, environment
from proctor_cli.local.volumes import PodVolumes
from proctor_operator.cluster import Manifest

EventType = Literal["Normal", "Warning"]
Tell = Callable[[EventType, str, str], None]
"""Records an event about the pod: type, reason, message."""


@dataclass(frozen=True, slots=True)
class Surrounding:
    """What a container shares with the others of its pod."""

    pod: Manifest
    ports: PodPorts
    volumes: PodVolumes
    gpus: frozenset[int]
    environments: Environments
    lookup: Lookup
    next_change: Callable[[], Awaitable[None]]
    http: httpx.AsyncClient
    now: Clock
    backoff_seconds: float
    report: Callable[[], None]
    tell: Tell


@dataclass(frozen=True, slots=True)
class Launch:
    """A command line, its environment and its working directory."""

    argv: list[str]
    env: dict[str, str]
    directory: Path


def launch(
    container: Manifest, files: ContainerFiles, image: Environment, around: Surrounding
) -> Launch:
    """The container as its manifest has it, but for addresses; raises `ConfigError`."""
    overrides = {
        **around.ports.variables(),
        **around.volumes.variables(container),
        "TERMINATION_MESSAGE_PATH": str(files.termination),
        "BIND_ADDRESS": LOOPBACK,
        **_home(container, files, around.volumes),
    }
    gpus = ",".join(map(str, sorted(around.gpus)))
    env = {"HOME": str(files.home), "CUDA_VISIBLE_DEVICES": gpus} | image.variables()
    env |= environment(container, around.pod, overrides, around.lookup)
    wanted = container.get("workingDir")
    directory = around.volumes.inside(container, wanted) if wanted else None
    return Launch(command_line(container, env), env, directory or files.directory)


def _home(container: Manifest, files: ContainerFiles, volumes: PodVolumes) -> dict[str, str]:
    """HOME on the volume where the manifest has it, else in a directory of the container's own.

    A manifest that itself says `$(MOUNT_...)` needs no help.
    """
    named = [each for each in container.get("env", []) if each["name"] == "HOME"]
    path = named[-1].get("value", "") if named else ""
    if "$(" in path:
        return {}
    return {"HOME": str(volumes.inside(container, path) or files.home)}
