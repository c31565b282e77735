"""An evaluation's pod whose artifacts go to a bucket."""

from typing import Any

from proctor_crds.wire import EXIT_REJECTED
from proctor_operator.children.evaluation_job import job, shards_job
from proctor_operator.children.upstream import Upstream
from proctor_operator.cluster import Manifest
from proctor_operator.settings import Settings
from tests.builders import EVALUATION, make_run

S3 = {
    "uri": "s3://kept/",
    "path": "a/$(HOME)",
    "endpoint": "http://minio:9000",
    "region": "eu-west-1",
    "secretRef": {"name": "bucket"},
}
UPSTREAM = Upstream("http://demo", "tiny", "abc")


def made(shards: int = 1, **run: Any) -> Manifest:
    owner = make_run(
        evaluations=[EVALUATION | {"shards": shards}], **({"artifacts": {"s3": S3}} | run)
    )
    build = job if shards == 1 else shards_job
    return build(owner, owner.spec.evaluations[0], UPSTREAM, Settings())


def containers(manifest: Manifest) -> dict[str, Manifest]:
    spec = manifest["spec"]["template"]["spec"]
    return {each["name"]: each for each in [*spec["initContainers"], *spec["containers"]]}


def secrets(container: Manifest) -> set[str]:
    return {e["name"] for e in container["env"] if "secretKeyRef" in e.get("valueFrom", {})}


def test_the_keeper_starts_before_the_adapter_to_end_after_it() -> None:
    assert list(containers(made())) == ["resume", "keep", "adapter", "harness"]


def test_two_containers_alone_have_the_credentials() -> None:
    keys = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    found = {name: secrets(each) for name, each in containers(made()).items()}
    assert found == {"resume": keys, "keep": keys, "adapter": set(), "harness": set()}


def test_where_many_containers_share_the_room_each_is_told_its_part_of_it() -> None:
    told = {"name": "TERMINATION_LIMIT", "value": "3072"}
    assert all(told in each["env"] for each in containers(made()).values())
    of_two = containers(made(artifacts=None))["harness"]["env"]
    assert "TERMINATION_LIMIT" not in {each["name"] for each in of_two}


def test_each_run_has_a_folder_that_no_other_has() -> None:
    owner = make_run()
    for name in ("resume", "keep"):
        each = containers(made())[name]
        folder = f"{owner.name}/{owner.uid}/{owner.spec.evaluations[0].name}"
        assert each["args"] == [
            f"--location=s3://kept/a/$$(HOME)/{folder}",
            "--endpoint=http://minio:9000",
            "--folder=$(MOUNT_ARTIFACTS)",
        ]
        assert {"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"} in each["env"]


def test_the_keeper_reads_alone() -> None:
    mounts = {
        name: next(m for m in each["volumeMounts"] if m["name"] == "artifacts")
        for name, each in containers(made()).items()
    }
    assert mounts["keep"] == mounts["harness"] | {"readOnly": True}
    assert "readOnly" not in mounts["resume"]


def test_a_share_keeps_its_own() -> None:
    for name in ("resume", "keep"):
        each = containers(made(shards=2))[name]
        assert each["args"][0].endswith("/shards/$(SHARD_INDEX)")
        assert each["args"][-1] == "--folder=$(MOUNT_ARTIFACTS)/shards/$(SHARD_INDEX)"
        assert "SHARD_INDEX" in {variable["name"] for variable in each["env"]}


def test_a_bucket_that_refuses_ends_the_job_and_time_is_given_to_store_the_last() -> None:
    rule = made()["spec"]["podFailurePolicy"]["rules"][-1]
    assert rule["onExitCodes"]["containerName"] == "resume"
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [EXIT_REJECTED])
    assert made()["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 60


def test_the_driver_knows_whom_to_ask() -> None:
    variables = {e["name"]: e.get("value") for e in containers(made())["harness"]["env"]}
    assert variables["STORE_URL"] == "http://127.0.0.1:$(PORT_ARTIFACTS)"
    assert variables["PORT_ARTIFACTS"] == "9300"


def test_without_a_bucket_nothing_of_it_is_there() -> None:
    kept = {"pvc": {"claimName": "results"}}
    assert list(containers(made(artifacts=kept))) == ["adapter", "harness"]
    assert len(made(artifacts=kept)["spec"]["podFailurePolicy"]["rules"]) == 2
