"""The example's manifests, under other names and with other specs."""

from pathlib import Path
from typing import Any

import yaml

EXAMPLES = Path("examples/arithmetic")
Manifest = dict[str, Any]


def deployment(name: str = "arithmetic", **spec: Any) -> Manifest:
    """The example's ModelDeployment, changed."""
    return changed("modeldeployment", name, spec)


def run(name: str = "arithmetic", **spec: Any) -> Manifest:
    """The example's EvaluationRun, changed; a field given as None is left out."""
    return changed("evaluationrun", name, spec)


def changed(example: str, name: str, spec: Manifest) -> Manifest:
    """The manifest of an example's file with some of its spec replaced."""
    base: Manifest = yaml.safe_load((EXAMPLES / f"{example}.yaml").read_text())
    merged = {k: v for k, v in {**base["spec"], **spec}.items() if v is not None}
    return {**base, "metadata": {"name": name}, "spec": merged}
