"""How a Deployment tells its current pods from older ones, and how many there may be. Pure."""

from math import ceil, floor
from typing import Any

from proctor_cli.local.objects import digest
from proctor_operator.cluster import Manifest

HASH = "pod-template-hash"


def template_hash(deployment: Manifest) -> str:
    """Changes whenever pods have to be replaced."""
    return digest(deployment["spec"]["template"])


def split(deployment: Manifest, pods: list[Manifest]) -> tuple[list[Manifest], list[Manifest]]:
    """Pods of the current template, and pods of older ones."""
    current = template_hash(deployment)
    new = [pod for pod in pods if pod["metadata"]["labels"][HASH] == current]
    return new, [pod for pod in pods if pod not in new]


def bounds(spec: Manifest, wanted: int) -> tuple[int, int]:
    """How many pods there may be too many, and how many too few, during a rolling update."""
    rolling = spec.get("strategy", {}).get("rollingUpdate", {})
    surge = ceil(_share(rolling.get("maxSurge", "25%"), wanted))
    unavailable = floor(_share(rolling.get("maxUnavailable", "25%"), wanted))
    return surge, unavailable if surge or unavailable else 1


def _share(amount: Any, wanted: int) -> float:
    if isinstance(amount, str):
        return int(amount.rstrip("%")) * wanted / 100
    return int(amount)
