"""The chart, rendered by the real helm."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.provider.binaries import binary

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts/proctor"
Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]


class HelmError(Exception):
    """helm's words where it failed."""


@pytest.fixture(scope="session")
def helm() -> Callable[..., str]:
    path = binary("helm")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(path), *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            raise HelmError(done.stderr + done.stdout)
        return done.stdout

    return run


@pytest.fixture(scope="session")
def render(helm: Callable[..., str]) -> Render:
    """`helm template` of the chart with `--set-json` for each argument."""

    def rendered(*values: str, release: str = "proctor") -> list[Manifest]:
        given = [word for value in values for word in ("--set-json", value)]
        text = helm("template", release, str(CHART), "--namespace", "ops", *given)
        return [found for found in yaml.safe_load_all(text) if found]

    return rendered


def one(manifests: list[Manifest], kind: str, name: str = "") -> Manifest:
    """The only object of a kind, or the one of that name."""
    found = [m for m in manifests if m["kind"] == kind and name in ("", m["metadata"]["name"])]
    assert len(found) == 1, [(m["kind"], m["metadata"]["name"]) for m in manifests]
    return found[0]
