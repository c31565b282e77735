"""The seven stages on a cluster that is a dictionary."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from proctor_crds.results import ResultRecord
from proctor_crds.wire import RunResult
from proctor_operator.children import serving
from proctor_operator.children.naming import EVALUATION_LABEL, TEMPLATE_LABEL, owner_labels
from proctor_operator.cluster import ClusterError, Manifest, Ref
from proctor_operator.evaluations import inputs
from proctor_operator.reconcile import reconcile
from proctor_operator.routing import Key
from proctor_operator.settings import Settings
from tests.builders import (
    EVALUATION,
    NOW,
    STAMP,
    condition_of,
    deployment_manifest,
    ended,
    make_deployment,
    make_pod,
    make_run,
    run_manifest,
)
from tests.memory_cluster import Memory, holding, kinds


async def reconciled(cluster: Memory, manifest: Manifest, now: datetime = NOW) -> timedelta | None:
    """One look at an object."""
    return await reconcile(Key.of(manifest), cluster, Settings(), now)


SETTLED = timedelta(hours=1)
SERVICE = Ref("v1", "Service", "team", "demo")
EXTERNAL = {"endpoint": {"url": "http://host", "model": "m"}}
RUN = make_run(target=EXTERNAL)
SCORE = ResultRecord(task="sums", metric="acc", value="0.5", n=50)
ENDED = {
    "name": "sums",
    "job": "j",
    "inputs": inputs(RUN.spec, RUN.spec.evaluations[0]),
    "progress": {"done": 1, "total": 1},
    "completionTime": STAMP,
}


async def test_a_deployment_gets_its_children_and_a_status() -> None:
    manifest = deployment_manifest()
    cluster = holding(manifest)
    await reconciled(cluster, manifest)
    assert kinds(cluster) == ["Deployment", "ModelDeployment", "Service"]
    (status,) = cluster.statuses
    assert status["observedGeneration"] == 1
    assert condition_of(status["conditions"], "Accepted")["status"] == "True"


async def test_a_run_gets_its_jobs() -> None:
    manifest = run_manifest(target=EXTERNAL, evaluations=[EVALUATION, EVALUATION | {"name": "b"}])
    cluster = holding(manifest)
    await reconciled(cluster, manifest)
    assert kinds(cluster) == ["EvaluationRun", "Job", "Job"]


@pytest.mark.parametrize(
    "manifest", [deployment_manifest(), run_manifest(target=EXTERNAL)], ids=str
)
async def test_once_settled_nothing_is_written_and_nothing_is_told(manifest: Manifest) -> None:
    cluster = holding(manifest)
    for _ in range(2):
        await reconciled(cluster, manifest)
    statuses, events = len(cluster.statuses), len(cluster.events)
    before = dict(cluster.objects)
    await reconciled(cluster, manifest, NOW + timedelta(hours=1))
    assert (len(cluster.statuses), len(cluster.events)) == (statuses, events)
    assert cluster.objects == before


async def test_every_transition_is_told_once() -> None:
    manifest = run_manifest()
    cluster = holding(manifest)
    await reconciled(cluster, manifest)
    assert [event.reason for event in cluster.events] == [
        "SpecValid",
        "DeploymentNotFound",
        "NotFinished",
        "WaitingForTarget",
        "NotFinished",
    ]


async def test_an_event_that_is_lost_takes_no_other_with_it() -> None:
    manifest = run_manifest()
    cluster = holding(manifest)
    cluster.untold = frozenset({"DeploymentNotFound"})
    await reconciled(cluster, manifest)
    told = [event.reason for event in cluster.events]
    assert told == ["SpecValid", "NotFinished", "WaitingForTarget", "NotFinished"]


class MadeAnew(Memory):
    """A cluster in which the first object read is deleted and made anew right afterwards."""

    async def get(self, ref: Ref) -> Manifest | None:
        found = await super().get(ref)
        if found and found["metadata"]["uid"] == "uid-of-run":
            again = {**found, "metadata": found["metadata"] | {"uid": "new"}}
            self.objects[ref] = again
        return found


async def test_a_resource_made_anew_is_not_given_the_status_of_the_one_before() -> None:
    manifest = run_manifest()
    cluster = MadeAnew({Ref.of(manifest): manifest})
    with pytest.raises(ClusterError, match="precondition"):
        await reconciled(cluster, manifest)
    await reconciled(cluster, manifest)
    assert len(cluster.statuses) == 1


async def test_a_child_that_is_deleted_comes_back() -> None:
    manifest = deployment_manifest()
    cluster = holding(manifest)
    await reconciled(cluster, manifest)
    await cluster.delete(SERVICE)
    await reconciled(cluster, manifest)
    assert "Service" in kinds(cluster)


async def test_what_no_longer_is_or_ends_is_left_alone() -> None:
    dying = run_manifest(target=EXTERNAL)
    dying["metadata"]["deletionTimestamp"] = STAMP
    cluster = holding(dying)
    assert await reconciled(cluster, dying) is None
    assert await reconciled(holding(), dying) is None
    assert kinds(cluster) == ["EvaluationRun"]


async def test_a_spec_that_cannot_be_read_is_told_and_starts_nothing() -> None:
    manifest = run_manifest(target=EXTERNAL, evaluations=[EVALUATION | {"harness": "lm-evl"}])
    cluster = holding(manifest)
    await reconciled(cluster, manifest)
    (condition,) = cluster.statuses[0]["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "SpecInvalid")
    assert "did you mean lm-eval or" in condition["message"]
    assert kinds(cluster) == ["EvaluationRun"]


async def test_what_a_later_versions_crd_adds_to_every_object_makes_none_invalid() -> None:
    later = EVALUATION | {"newer": {"on": True}}
    manifest = run_manifest(target=EXTERNAL, evaluations=[later], newest={})
    cluster = holding(manifest)
    await reconciled(cluster, manifest)
    accepted = condition_of(cluster.statuses[0]["conditions"], "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("True", "SpecValid")
    assert "Job" in kinds(cluster)


async def test_a_spec_that_can_no_longer_be_read_keeps_its_scores() -> None:
    status = {"evaluations": [ENDED], "score": "0.5", "observedGeneration": 1, "conditions": []}
    manifest = run_manifest(target={}, status=status)
    cluster = holding(manifest)
    await reconciled(cluster, manifest)
    assert cluster.statuses[0]["evaluations"] == [ENDED]
    assert cluster.statuses[0]["score"] == "0.5"


async def test_a_child_that_is_refused_is_told_and_the_others_are_made() -> None:
    manifest = deployment_manifest()
    cluster = holding(manifest, refused="Service")
    assert await reconciled(cluster, manifest) == timedelta(seconds=60)
    accepted = condition_of(cluster.statuses[0]["conditions"], "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "ChildRejected")
    assert accepted["message"] == "Service demo: exceeded quota"
    assert "Deployment" in kinds(cluster)


async def test_what_was_refused_is_made_once_it_may_be() -> None:
    manifest = run_manifest(target=EXTERNAL)
    cluster = holding(manifest, refused="Job")
    assert await reconciled(cluster, manifest) == timedelta(seconds=60)
    cluster.refused = frozenset()
    assert await reconciled(cluster, manifest) == SETTLED
    assert "Job" in kinds(cluster)


async def failed(cluster: Memory, manifest: Manifest) -> str:
    """A look that the cluster's failure ends; its words."""
    with pytest.raises(ClusterError) as raised:
        await reconciled(cluster, manifest)
    return str(raised.value)


async def test_what_cannot_be_made_keeps_nobody_from_being_told() -> None:
    manifest = run_manifest(target=EXTERNAL, evaluations=[EVALUATION, EVALUATION | {"name": "b"}])
    cluster = holding(manifest)
    await reconciled(cluster, manifest)
    first, second = (ref for ref in cluster.objects if ref.kind == "Job")
    await cluster.delete(second)
    words = RunResult(results=[SCORE]).model_dump_json()
    pod = make_pod(
        phase="Succeeded",
        labels=owner_labels(make_run()),
        job=first.name,
        containers=[ended("harness", 0, words)],
    )
    cluster.objects[Ref.of(pod)] = pod
    cluster.objects[first]["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    cluster.failing = frozenset({"Job"})
    words = await failed(cluster, manifest)
    scores = manifest["status"]["evaluations"][0].get("results", [])
    assert [score["value"] for score in scores] == ["0.5"]
    assert words == f"Job {second.name}: 500: failed calling webhook"
    # It is the same spec, and nothing says that it is refused.
    assert condition_of(manifest["status"]["conditions"], "Accepted")["status"] == "True"


@pytest.mark.parametrize("generation", [1, 2], ids=["new", "changed"])
async def test_a_spec_that_meets_a_failing_cluster_says_so(generation: int) -> None:
    manifest = deployment_manifest(status={"observedGeneration": 1} if generation == 2 else None)
    manifest["metadata"]["generation"] = generation
    cluster = holding(manifest)
    cluster.failing = frozenset({"Deployment"})
    for _ in range(2):
        words = await failed(cluster, manifest)
        accepted = condition_of(manifest["status"]["conditions"], "Accepted")
        assert (accepted["status"], accepted["reason"]) == ("Unknown", "ClusterFailed")
        assert accepted["message"] == words
    assert len(cluster.statuses) == 1
    cluster.failing = frozenset()
    await reconciled(cluster, manifest)
    assert condition_of(manifest["status"]["conditions"], "Accepted")["status"] == "True"


async def test_what_was_refused_stays_so_while_the_cluster_fails() -> None:
    manifest = deployment_manifest()
    cluster = holding(manifest, refused="Service")
    await reconciled(cluster, manifest)
    serve(cluster)
    cluster.refused, cluster.failing = frozenset(), frozenset({"Service"})
    await failed(cluster, manifest)
    for kind in ("Accepted", "Ready"):
        told = condition_of(manifest["status"]["conditions"], kind)
        assert (told["status"], told["reason"]) == ("False", "ChildRejected")


async def test_a_finished_run_tells_nothing_of_what_becomes_of_its_target() -> None:
    of_demo = make_run()
    ends = ENDED | {"inputs": inputs(of_demo.spec, of_demo.spec.evaluations[0])}
    manifest = run_manifest(status={"evaluations": [ends]})
    server = deployment_manifest()
    cluster = holding(manifest, server)
    await reconciled(cluster, manifest)
    told = len(cluster.statuses), len(cluster.events)
    await cluster.delete(Ref.of(server))
    await reconciled(cluster, manifest)
    assert (len(cluster.statuses), len(cluster.events)) == told


STRANGER = {"kind": "ModelDeployment", "name": "other", "uid": "of another"}


@pytest.mark.parametrize("labels", [{}, owner_labels(make_deployment())], ids=["bare", "alike"])
@pytest.mark.parametrize("owners", [[], [STRANGER]], ids=["free", "another's"])
async def test_what_belongs_to_another_is_neither_changed_nor_deleted(
    labels: dict[str, str], owners: list[Manifest]
) -> None:
    meta = {"name": "demo", "namespace": "team", "labels": labels, "ownerReferences": owners}
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"a": "b"}}
    stale = {**theirs, "metadata": {**meta, "name": "left-over"}}
    manifest = deployment_manifest()
    cluster = holding(manifest, theirs, stale)
    await reconciled(cluster, manifest)
    accepted = condition_of(cluster.statuses[0]["conditions"], "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "ChildRejected")
    assert accepted["message"] == (
        "Service demo exists and does not belong to this ModelDeployment: rename one of the two"
    )
    assert cluster.objects[SERVICE] is theirs
    assert cluster.objects[Ref.of(stale)] is stale


async def test_what_is_left_of_one_deleted_before_is_waited_for() -> None:
    manifest = deployment_manifest()
    cluster = holding(manifest)
    await reconciled(cluster, manifest)
    again = deployment_manifest()
    again["metadata"]["uid"] = "new"
    cluster.objects[Ref.of(again)] = again
    await reconciled(cluster, again)
    accepted = condition_of(again["status"]["conditions"], "Accepted")
    assert accepted["message"].startswith("Service demo is left of a ModelDeployment deleted")
    for ref in [ref for ref in cluster.objects if ref.kind != "ModelDeployment"]:
        await cluster.delete(ref)
    await reconciled(cluster, again)
    assert condition_of(again["status"]["conditions"], "Accepted")["status"] == "True"
    assert cluster.objects[SERVICE]["metadata"]["ownerReferences"][0]["uid"] == "new"


async def test_a_deployment_whose_endpoint_is_another_s_is_not_ready() -> None:
    meta = {"name": "demo", "namespace": "team"}
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": meta}
    manifest = deployment_manifest()
    cluster = holding(manifest, theirs)
    await reconciled(cluster, manifest)
    serve(cluster)
    await reconciled(cluster, manifest)
    ready = condition_of(manifest["status"]["conditions"], "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ChildRejected")
    await cluster.delete(SERVICE)
    await reconciled(cluster, manifest)
    assert condition_of(manifest["status"]["conditions"], "Ready")["status"] == "True"


async def test_a_child_that_lost_its_labels_gets_them_back() -> None:
    manifest = deployment_manifest()
    cluster = holding(manifest)
    await reconciled(cluster, manifest)
    child = cluster.objects[SERVICE]
    cluster.objects[SERVICE] = {**child, "metadata": {**child["metadata"], "labels": {}}}
    await reconciled(cluster, manifest)
    assert cluster.objects[SERVICE] == child


async def test_a_run_that_asks_something_else_gets_another_job_in_place_of_the_first() -> None:
    manifest = run_manifest(target=EXTERNAL)
    cluster = holding(manifest)
    await reconciled(cluster, manifest)
    (first,) = (ref for ref in cluster.objects if ref.kind == "Job")
    changed = run_manifest(target=EXTERNAL, evaluations=[EVALUATION | {"tasks": ["other"]}])
    cluster.objects[Ref.of(changed)] = changed
    await reconciled(cluster, changed)
    (second,) = (ref for ref in cluster.objects if ref.kind == "Job")
    assert second != first


async def test_an_unfinished_run_whose_job_is_deleted_gets_another() -> None:
    manifest = run_manifest(target=EXTERNAL)
    cluster = holding(manifest)
    await reconciled(cluster, manifest)
    (job,) = (ref for ref in cluster.objects if ref.kind == "Job")
    await cluster.delete(job)
    await reconciled(cluster, manifest)
    assert job in cluster.objects


async def test_a_finished_run_goes_when_its_time_has_come() -> None:
    status = {"evaluations": [ENDED], "observedGeneration": 1, "completionTime": STAMP}
    manifest = run_manifest(target=EXTERNAL, ttlSecondsAfterFinished=60, status=status)
    cluster = holding(manifest)
    assert await reconciled(cluster, manifest) == timedelta(seconds=60)
    assert kinds(cluster) == ["EvaluationRun"]
    await reconciled(cluster, manifest, NOW + timedelta(seconds=60))
    assert kinds(cluster) == []


async def test_what_was_told_while_nobody_listened_is_seen_within_the_hour() -> None:
    manifest = deployment_manifest()
    cluster = holding(manifest)
    assert await reconciled(cluster, manifest) == SETTLED
    status = {"evaluations": [ENDED], "observedGeneration": 1, "completionTime": STAMP}
    patient = run_manifest(target=EXTERNAL, ttlSecondsAfterFinished=86400, status=status)
    assert await reconciled(holding(patient), patient) == SETTLED


async def test_a_run_that_goes_at_once_tells_its_outcome_first() -> None:
    status = {"evaluations": [ENDED], "observedGeneration": 1}
    manifest = run_manifest(target=EXTERNAL, ttlSecondsAfterFinished=0, status=status)
    cluster = holding(manifest)
    assert await reconciled(cluster, manifest) == timedelta(seconds=1)
    assert condition_of(cluster.statuses[0]["conditions"], "Succeeded")["status"] == "True"
    await reconciled(cluster, manifest)
    assert kinds(cluster) == []


async def test_the_model_of_before_is_never_asked_in_the_name_of_the_new_one() -> None:
    run, old = run_manifest(), deployment_manifest()
    cluster = holding(run, old)
    await reconciled(cluster, old)
    serve(cluster)
    await reconciled(cluster, old)
    new = deployment_manifest(generation=2, engine={"dtype": "float32"}, status=old["status"])
    cluster.objects[Ref.of(new)] = new
    await reconciled(cluster, new)
    await reconciled(cluster, run)
    assert condition_of(new["status"]["conditions"], "Ready")["status"] == "False"
    assert "Job" not in kinds(cluster)


def serve(cluster: Memory) -> None:
    """Do what the Deployment's controller does: one pod, ready."""
    child = cluster.objects[Ref("apps/v1", "Deployment", "team", "demo")]
    child["metadata"]["generation"] = 1
    child["status"] = {"observedGeneration": 1} | dict.fromkeys(
        ("replicas", "readyReplicas", "updatedReplicas"), 1
    )


def server_pod(template: str | None = None) -> Manifest:
    """A ready pod of `demo`, of the template of its spec unless it says another."""
    made = serving.deployment(make_deployment(), Settings())["spec"]["template"]
    labels = made["metadata"]["labels"]
    return make_pod(ready=True, labels=labels | ({TEMPLATE_LABEL: template} if template else {}))


async def seen_with(pod: Manifest, answer: Any) -> tuple[Manifest, timedelta | None]:
    """The status after `pod` answered so at /v1/engine, and when to look again."""
    manifest = deployment_manifest()
    cluster = holding(manifest, pod)
    cluster.answers["/v1/engine"] = answer
    await reconciled(cluster, manifest)
    serve(cluster)
    again = await reconciled(cluster, manifest)
    return manifest["status"], again


async def test_what_a_ready_server_says_of_itself_is_told() -> None:
    status, again = await seen_with(server_pod(), {"checkpointDigest": "sha256:1"})
    assert status["checkpointDigest"] == "sha256:1"
    assert again == SETTLED


async def test_a_server_of_another_template_is_not_asked() -> None:
    status, again = await seen_with(server_pod("other"), {"checkpointDigest": "sha256:1"})
    assert "checkpointDigest" not in status
    assert again == SETTLED


async def test_trouble_of_a_pod_of_another_template_is_not_told() -> None:
    pod = server_pod("other") | {"status": make_pod(containers=[ended("server", 1)])["status"]}
    status, _ = await seen_with(pod, None)
    assert condition_of(status["conditions"], "Ready")["reason"] == "AllReplicasReady"


@pytest.mark.parametrize("answer", [None, {}], ids=repr)
async def test_an_answer_that_says_nothing_is_none_and_asked_for_again(answer: Any) -> None:
    status, again = await seen_with(server_pod(), answer)
    assert "engine" not in status
    assert again == timedelta(seconds=5)


@pytest.mark.parametrize(("answer", "shown"), [({"done": 3, "total": 9}, "3/9"), (None, "0/?")])
async def test_a_running_pod_is_asked_for_its_progress(answer: Any, shown: str) -> None:
    manifest = run_manifest(target=EXTERNAL)
    cluster = holding(manifest)
    await reconciled(cluster, manifest)
    (job,) = (ref.name for ref in cluster.objects if ref.kind == "Job")
    labels = owner_labels(make_run()) | {EVALUATION_LABEL: "sums"}
    pod = make_pod(labels=labels, job=job)
    cluster.objects[Ref.of(pod)] = pod
    cluster.answers["/progress"] = answer
    assert await reconciled(cluster, manifest) == timedelta(seconds=5)
    assert cluster.statuses[-1]["progress"] == shown
