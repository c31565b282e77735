"""Where the tasks' files are in an evaluation's pod."""

from typing import Any

import pytest

from proctor_operator.children.evaluation_job import job
from proctor_operator.children.upstream import Upstream
from proctor_operator.cluster import Manifest
from proctor_operator.settings import Settings
from tests.builders import EVALUATION, make_run

S3 = {"s3": {"uri": "s3://tasks/sums", "path": "v2", "secretRef": {"name": "bucket"}}}
HTTP = {"http": {"url": "http://files/a.tgz", "sha256": "0" * 64}}
PRIVATE = {"http": HTTP["http"] | {"secretRef": {"name": "files", "key": "token"}}}


def pod(datasets: dict[str, Any]) -> Manifest:
    """The pod's spec of a run's only evaluation."""
    owner = make_run(evaluations=[EVALUATION | {"datasets": datasets}])
    made = job(owner, owner.spec.evaluations[0], Upstream("http://a", "m"), Settings())
    spec: Manifest = made["spec"]["template"]["spec"]
    return spec


def mount(container: Manifest) -> Manifest:
    """How the container sees the files."""
    [found] = [mount for mount in container["volumeMounts"] if mount["name"] == "datasets"]
    return dict(found)


@pytest.mark.parametrize(
    ("datasets", "arguments", "secrets"),
    [
        (
            S3,
            ["--source=s3", "--location=s3://tasks/sums", "--to=$(MOUNT_DATASETS)"],
            {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"},
        ),
        (
            HTTP,
            [
                "--source=http",
                "--location=http://files/a.tgz",
                f"--sha256={'0' * 64}",
                "--to=$(MOUNT_DATASETS)",
            ],
            set(),
        ),
        (PRIVATE, None, {"SOURCE_TOKEN"}),
    ],
    ids=["s3", "http", "http with a token"],
)
def test_files_are_fetched_before_anything_starts(
    datasets: dict[str, Any], arguments: list[str] | None, secrets: set[str]
) -> None:
    spec = pod(datasets)
    fetch = spec["initContainers"][0]
    assert fetch["image"] == Settings().runtime_image
    assert arguments is None or fetch["args"] == arguments
    assert {v["name"] for v in fetch["env"] if "valueFrom" in v} == secrets
    assert {"name": "datasets", "emptyDir": {}} in spec["volumes"]
    assert "readOnly" not in mount(fetch)
    others = [*spec["containers"], *spec["initContainers"][1:]]
    given = [v["valueFrom"] for each in others for v in each["env"] if "valueFrom" in v]
    assert not any("secretKeyRef" in source for source in given)


def test_the_harness_reads_the_path_that_is_named() -> None:
    [harness] = pod(S3)["containers"]
    told = {"name": "datasets", "mountPath": "/datasets", "readOnly": True}
    assert mount(harness) == told | {"subPath": "v2"}
    [harness] = pod(HTTP)["containers"]
    assert mount(harness) == told


def test_a_claim_is_not_fetched() -> None:
    spec = pod({"pvc": {"claimName": "files"}})
    assert [each["name"] for each in spec["initContainers"]] == ["adapter"]
