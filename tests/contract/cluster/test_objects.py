"""What the apiserver alone is asked for."""

import asyncio
from uuid import UUID

import pytest

from proctor_operator.cluster import ClusterError, Event, Manifest, Ref, Rejected
from tests.contract.cluster.manifests import (
    condition,
    config_map,
    container,
    deployment,
    gone,
    job,
)
from tests.contract.cluster.subjects import Subject


async def test_what_is_not_there_is_none(subject: Subject) -> None:
    ref = Ref("v1", "ConfigMap", subject.namespace, "nonesuch")
    assert await subject.cluster.get(ref) is None


async def test_apply_creates(subject: Subject) -> None:
    made = await subject.cluster.apply(config_map(subject.namespace, a="1"))
    assert made["data"] == {"a": "1"}
    assert {"uid", "resourceVersion", "creationTimestamp"} <= made["metadata"].keys()
    found = await subject.cluster.get(Ref.of(made))
    assert found is not None
    assert found["metadata"]["uid"] == made["metadata"]["uid"]


async def test_apply_updates_and_removes_what_is_no_longer_given(subject: Subject) -> None:
    first = config_map(subject.namespace, a="1", b="2")
    first["metadata"]["labels"] = {"x": "1", "y": "2"}
    await subject.cluster.apply(first)
    second = config_map(subject.namespace, b="3")
    second["metadata"]["labels"] = {"y": "2"}
    updated = await subject.cluster.apply(second)
    assert updated["data"] == {"b": "3"}
    assert updated["metadata"]["labels"] == {"y": "2"}


async def test_applying_the_same_again_changes_nothing(subject: Subject) -> None:
    first = await subject.cluster.apply(config_map(subject.namespace, a="1"))
    second = await subject.cluster.apply(config_map(subject.namespace, a="1"))
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


async def test_list_selects_by_all_labels(subject: Subject) -> None:
    for name, labels in (("a", {"x": "1", "y": "1"}), ("b", {"x": "1"}), ("c", {"y": "1"})):
        made = config_map(subject.namespace, name)
        made["metadata"]["labels"] = labels
        await subject.cluster.apply(made)

    async def names(labels: dict[str, str]) -> list[str]:
        found = await subject.cluster.list("v1", "ConfigMap", subject.namespace, labels)
        return sorted(each["metadata"]["name"] for each in found)

    assert await names({"x": "1"}) == ["a", "b"]
    assert await names({"x": "1", "y": "1"}) == ["a"]
    assert await names({"x": "2"}) == []


async def test_listed_objects_say_what_they_are(subject: Subject) -> None:
    made = config_map(subject.namespace)
    made["metadata"]["labels"] = {"x": "1"}
    await subject.cluster.apply(made)
    (found,) = await subject.cluster.list("v1", "ConfigMap", subject.namespace, {"x": "1"})
    assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap")


async def test_generation_moves_with_the_spec_alone(subject: Subject) -> None:
    wanted = _idle_deployment(subject)
    first = await subject.cluster.apply(wanted)
    assert first["metadata"]["generation"] == 1
    wanted["metadata"]["labels"] = {"x": "1"}
    labelled = await subject.cluster.apply(wanted)
    assert labelled["metadata"]["generation"] == 1
    wanted["spec"]["minReadySeconds"] = 1
    changed = await subject.cluster.apply(wanted)
    assert changed["metadata"]["generation"] == 2


async def test_status_is_applied_apart_from_the_spec(subject: Subject) -> None:
    made = await subject.cluster.apply(_idle_deployment(subject))
    status = _status(made, _condition("Custom"), replicas=3)
    updated = await subject.cluster.apply_status(status)
    assert condition(updated, "Custom")["reason"] == "Testing"
    assert updated["metadata"]["generation"] == made["metadata"]["generation"]
    assert updated["spec"] == made["spec"]
    again = await subject.cluster.apply(_idle_deployment(subject))
    assert condition(again, "Custom")["reason"] == "Testing"


async def test_status_of_what_is_not_there_is_an_error(subject: Subject) -> None:
    status = _status(_idle_deployment(subject), _condition("Custom"))
    with pytest.raises(ClusterError) as refusal:
        await subject.cluster.apply_status(status)
    assert not isinstance(refusal.value, Rejected), "it may be there by the next attempt"


@pytest.mark.parametrize(
    ("field", "value", "words", "final"),
    [
        ("uid", str(UUID(int=0)), "field is immutable", True),
        ("resourceVersion", "999999999", "has been modified", False),
    ],
    ids=["uid", "resourceVersion"],
)
async def test_what_was_meant_for_another_is_refused(
    subject: Subject, field: str, value: str, words: str, *, final: bool
) -> None:
    """Another object for ever; another version until one has looked again."""
    made = await subject.cluster.apply(_idle_deployment(subject))
    status, spec = _status(made, _condition("Custom")), _idle_deployment(subject)
    for meant, act in ((status, subject.cluster.apply_status), (spec, subject.cluster.apply)):
        meant["metadata"][field] = value
        with pytest.raises(ClusterError, match=words) as refusal:
            await act(meant)
        assert isinstance(refusal.value, Rejected) == final


async def test_what_is_meant_for_this_very_object_is_taken(subject: Subject) -> None:
    made = await subject.cluster.apply(_idle_deployment(subject))
    status = _status(made, _condition("Custom"))
    status["metadata"]["uid"] = made["metadata"]["uid"]
    assert condition(await subject.cluster.apply_status(status), "Custom")


async def test_an_object_with_an_identity_is_not_made_anew(subject: Subject) -> None:
    made = config_map(subject.namespace)
    made["metadata"]["uid"] = str(UUID(int=0))
    with pytest.raises(ClusterError, match="uid") as refusal:
        await subject.cluster.apply(made)
    assert not isinstance(refusal.value, Rejected)


async def test_a_null_is_a_field_not_given(subject: Subject) -> None:
    made = config_map(subject.namespace, a="1")
    made["metadata"]["labels"] = None
    applied = await subject.cluster.apply(made)
    assert "labels" not in applied["metadata"]


async def test_delete_is_idempotent(subject: Subject) -> None:
    made = await subject.cluster.apply(config_map(subject.namespace))
    await subject.cluster.delete(Ref.of(made))
    await gone(subject.cluster, made)
    await subject.cluster.delete(Ref.of(made))


async def test_a_name_can_be_used_again(subject: Subject) -> None:
    first = await subject.cluster.apply(config_map(subject.namespace, a="1"))
    await subject.cluster.delete(Ref.of(first))
    await gone(subject.cluster, first)
    second = await subject.cluster.apply(config_map(subject.namespace, b="2"))
    assert second["data"] == {"b": "2"}
    assert second["metadata"]["uid"] != first["metadata"]["uid"]


@pytest.mark.parametrize(
    "name",
    ["Upper", "under_score", "-dash", "x" * 254],
    ids=["case", "underscore", "dash", "length"],
)
async def test_a_bad_name_is_rejected(subject: Subject, name: str) -> None:
    with pytest.raises(Rejected):
        await subject.cluster.apply(config_map(subject.namespace, name))


async def test_a_label_value_of_more_than_63_characters_is_rejected(subject: Subject) -> None:
    made = config_map(subject.namespace)
    made["metadata"]["labels"] = {"x": "y" * 64}
    with pytest.raises(Rejected, match=r"metadata\.labels"):
        await subject.cluster.apply(made)


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"labels": {"x": 1}}, r"\.metadata\.labels\.x: expected string"),
        ({"annotations": {"x": 1}}, r"\.metadata\.annotations\.x: expected string"),
        ({"labels": {"a b": "1"}}, r"metadata\.labels: Invalid value"),
        ({"annotations": {"a b": "1"}}, r"metadata\.annotations: Invalid value"),
        ({"lables": {}}, r"\.metadata\.lables: field not declared in schema"),
    ],
)
async def test_bad_metadata_is_rejected(subject: Subject, meta: Manifest, words: str) -> None:
    made = config_map(subject.namespace)
    made["metadata"] |= meta
    with pytest.raises(Rejected, match=words):
        await subject.cluster.apply(made)


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("Secret", {"stringData": {"x": 1}}, r"\.stringData\.x: expected string"),
        ("Secret", {"data": {"x": "%"}}, "illegal base64 data"),
        ("ConfigMap", {"binaryData": {"x": "%"}}, "illegal base64 data"),
        ("ConfigMap", {"date": {}}, r"\.date: field not declared in schema"),
        (
            "PersistentVolumeClaim",
            {"spec": {"accesModes": ["ReadWriteOnce"]}},
            r"\.spec\.accesModes: field not declared in schema",
        ),
    ],
)
async def test_what_pods_cannot_be_given_is_rejected(
    subject: Subject, kind: str, fields: Manifest, words: str
) -> None:
    meta = {"name": "given", "namespace": subject.namespace}
    made = {"apiVersion": "v1", "kind": kind, "metadata": meta, **fields}
    with pytest.raises(Rejected, match=words):
        await subject.cluster.apply(made)


async def test_a_jobs_template_cannot_change(subject: Subject) -> None:
    await subject.cluster.apply(_idle_job(subject, "pass"))
    with pytest.raises(Rejected, match="immutable"):
        await subject.cluster.apply(_idle_job(subject, "other"))


async def test_a_deployments_selector_cannot_change(subject: Subject) -> None:
    made = _idle_deployment(subject)
    await subject.cluster.apply(made)
    made["spec"]["selector"]["matchLabels"]["x"] = "1"
    made["spec"]["template"]["metadata"]["labels"]["x"] = "1"
    with pytest.raises(Rejected, match="immutable"):
        await subject.cluster.apply(made)


async def test_a_selector_that_misses_its_template_is_rejected(subject: Subject) -> None:
    made = _idle_deployment(subject)
    made["spec"]["selector"]["matchLabels"] = {"app": "other"}
    with pytest.raises(Rejected):
        await subject.cluster.apply(made)


async def test_a_job_that_restarts_for_ever_is_rejected(subject: Subject) -> None:
    made = _idle_job(subject, "pass")
    made["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    with pytest.raises(Rejected, match="restartPolicy"):
        await subject.cluster.apply(made)


async def test_a_port_name_of_more_than_15_characters_is_rejected(subject: Subject) -> None:
    made = _idle_deployment(subject)
    ports = [{"name": "x" * 16, "containerPort": 1}]
    made["spec"]["template"]["spec"]["containers"][0]["ports"] = ports
    with pytest.raises(Rejected, match="ports"):
        await subject.cluster.apply(made)


MOUNTS = [{"name": name, "mountPath": "/x"} for name in ("a", "b")]
VOLUMES = [{"name": name, "emptyDir": {}} for name in ("a", "b")]


@pytest.mark.parametrize(
    ("pod", "fields", "words"),
    [
        ({"nodeSelecter": {}}, {}, r"\.nodeSelecter: field not declared in schema"),
        ({}, {"resource": {}}, r"\.resource: field not declared in schema"),
        ({"nodeSelector": {"a": 1}}, {}, r"\.nodeSelector\.a: expected string"),
        ({"tolerations": {"key": "a"}}, {}, r"\.tolerations: expected list"),
        ({}, {"env": [{"name": "A", "value": 1}]}, r"\.value: expected string"),
        ({}, {"env": [{"name": "A"}, {"name": "A"}]}, r"\.env: duplicate entries for key"),
        ({"volumes": VOLUMES}, {"volumeMounts": MOUNTS}, r"\.volumeMounts: duplicate entries"),
        ({"volumes": [VOLUMES[0], VOLUMES[0]]}, {}, r"\.volumes: duplicate entries for key"),
        ({}, {"resources": {"limits": {"cpu": "lots"}}}, "quantit"),
        ({}, {"volumeMounts": MOUNTS[:1]}, r"volumeMounts.*: Not found"),
        ({}, {"livenessProbe": {"periodSeconds": 1}}, "livenessProbe: Required value"),
        ({}, {"ports": [{"containerPort": 70000}]}, "containerPort: Invalid value: 70000"),
        (
            {},
            {"ports": [{"name": "a", "containerPort": each} for each in (1, 2)]},
            r"ports.*\.name: Duplicate value",
        ),
    ],
)
async def test_a_template_that_cannot_be_a_pod_is_rejected(
    subject: Subject, pod: Manifest, fields: Manifest, words: str
) -> None:
    main = container(subject.image, "pass", **fields)
    made = deployment(subject.namespace, main, replicas=0)
    made["spec"]["template"]["spec"] |= pod
    with pytest.raises(Rejected, match=words):
        await subject.cluster.apply(made)


async def test_secrets_given_as_text_are_kept_encoded(subject: Subject) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": subject.namespace},
        "stringData": {"token": "abc"},
    }
    made = await subject.cluster.apply(secret)
    assert made["data"] == {"token": "YWJj"}


async def test_emit_takes_an_event(subject: Subject) -> None:
    made = await subject.cluster.apply(config_map(subject.namespace))
    event = Event(made, "Normal", "Tested", "the event was told")
    await subject.cluster.emit(event)
    await subject.cluster.emit(event)
    async with asyncio.timeout(10):
        while "Tested" not in await _reasons(subject):  # noqa: ASYNC110  no watch in the seam
            await asyncio.sleep(0.05)


async def test_emit_about_what_is_gone_does_not_raise(subject: Subject) -> None:
    made = await subject.cluster.apply(config_map(subject.namespace))
    await subject.cluster.delete(Ref.of(made))
    await subject.cluster.emit(Event(made, "Warning", "Gone", "deleted meanwhile"))


@pytest.mark.needs_controllers
async def test_deletion_cascades_to_dependents_of_dependents(subject: Subject) -> None:
    owner = await subject.cluster.apply(config_map(subject.namespace, "owner"))
    child = await subject.cluster.apply(_owned(subject, "child", owner))
    grandchild = await subject.cluster.apply(_owned(subject, "grandchild", child))
    bystander = await subject.cluster.apply(config_map(subject.namespace, "bystander"))
    await subject.cluster.delete(Ref.of(owner))
    await gone(subject.cluster, child, 60)
    await gone(subject.cluster, grandchild, 60)
    assert await subject.cluster.get(Ref.of(bystander)) is not None


@pytest.mark.needs_controllers
async def test_what_comes_after_its_owner_has_gone_is_deleted(subject: Subject) -> None:
    owner = await subject.cluster.apply(config_map(subject.namespace, "owner"))
    await subject.cluster.delete(Ref.of(owner))
    await gone(subject.cluster, owner)
    late = await subject.cluster.apply(_owned(subject, "late", owner))
    await gone(subject.cluster, late, 60)


async def _reasons(subject: Subject) -> set[str]:
    events = await subject.cluster.list("v1", "Event", subject.namespace, {})
    return {each["reason"] for each in events if each["involvedObject"]["name"] == "settings"}


def _owned(subject: Subject, name: str, owner: Manifest) -> Manifest:
    made = config_map(subject.namespace, name)
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    reference |= {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    made["metadata"]["ownerReferences"] = [reference]
    return made


def _idle_deployment(subject: Subject) -> Manifest:
    return deployment(subject.namespace, container(subject.image, "pass"), replicas=0)


def _idle_job(subject: Subject, code: str) -> Manifest:
    return job(subject.namespace, container(subject.image, code), suspend=True)


def _condition(kind: str) -> Manifest:
    time = "2026-01-02T03:04:05Z"
    return {
        "type": kind,
        "status": "True",
        "reason": "Testing",
        "message": "",
        "lastTransitionTime": time,
        "lastUpdateTime": time,
    }


def _status(of: Manifest, *conditions: Manifest, **fields: int) -> Manifest:
    meta = {key: of["metadata"][key] for key in ("name", "namespace")}
    status = {"conditions": list(conditions), **fields}
    return {"apiVersion": of["apiVersion"], "kind": of["kind"], "metadata": meta, "status": status}
