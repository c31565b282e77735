"""Deployments that cannot serve: each says why, and nothing but its own pod is the worse for it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.examples import deployment
from tests.kube import LONG_SECONDS, Kubectl

pytestmark = pytest.mark.e2e
MD = "modeldeployment"


def checkpoint(path: str) -> dict[str, Any]:
    """The example's model with its checkpoint elsewhere on the claim."""
    model: dict[str, Any] = deployment()["spec"]["model"]
    return {**model, "source": {"pvc": {"claimName": "arithmetic", "path": path}}}


BROKEN: dict[str, dict[str, Any]] = {
    "missing": {"model": checkpoint("nowhere")},
    "truncated": {"model": checkpoint("truncated")},
    "heads": {"parallelism": {"tensor": 3}},
    "image": {"backend": {"triton": {"image": "proctor/nothing:1"}}},
    "gpu": {"gpusPerNode": 1},
    "claim": {"model": {**checkpoint("."), "source": {"pvc": {"claimName": "nobodys"}}}},
}


@pytest.fixture(scope="module")
def broken(kubectl: Kubectl) -> Iterator[Kubectl]:
    """All of them at once, deleted afterwards: each would start again and again."""
    kubectl.apply(*(deployment(name, **spec) for name, spec in BROKEN.items()))
    yield kubectl
    kubectl("delete", MD, *BROKEN, "--wait=false")


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("missing", "CheckpointNotFound", "no Megatron checkpoint"),
        ("truncated", "CheckpointCorrupt", "cannot be loaded"),
        ("heads", "ParallelismInvalid", "4"),
        ("image", "ImagePullFailed", "proctor/nothing:1"),
        ("gpu", "Unschedulable", "nvidia.com/gpu"),
        ("claim", "Unschedulable", "nobodys"),
    ],
)
def test_it_says_why(broken: Kubectl, name: str, reason: str, words: str) -> None:
    assert words in broken.wait_condition(MD, name, "Ready", "False", reason, LONG_SECONDS)


def test_a_missing_image_is_seen_as_the_kubelet_says_it(broken: Kubectl) -> None:
    failed = ("Ready", "False", "ImagePullFailed")
    words = broken.wait_condition(MD, "image", *failed, LONG_SECONDS)
    assert words.startswith(("ErrImagePull", "ImagePullBackOff"))


def test_a_corrected_path_serves(broken: Kubectl) -> None:
    broken.apply(deployment("missing"))
    ready = ("Ready", "True", "AllReplicasReady")
    broken.wait_condition(MD, "missing", *ready, LONG_SECONDS)
