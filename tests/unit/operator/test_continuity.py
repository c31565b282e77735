"""What has begun goes on, though an upgrade would build it otherwise."""

from typing import Any

import pytest

from proctor_operator.children.evaluation_job import job
from proctor_operator.children.upstream import Upstream
from proctor_operator.cluster import Manifest, Ref
from proctor_operator.continuity import current
from proctor_operator.plan import Desired, Plan, plan
from proctor_operator.settings import Settings
from tests.builders import EVALUATION, STAMP, make_pod, make_run

UPSTREAM = Upstream("http://demo.team.svc:8080", "tiny", "abc")
ENDED: Manifest = {"conditions": [{"type": "Complete", "status": "True"}]}


def built(image: str, upstream: Upstream = UPSTREAM, **spec: Any) -> Manifest:
    """The Job of a run, as an operator with that harness image builds it."""
    owner = make_run(**spec)
    settings = Settings(harness_images={"lm-eval": image})
    return job(owner, owner.spec.evaluations[0], upstream, settings)


def stored(made: Manifest, **status: Any) -> Manifest:
    """A Job with what the apiserver adds."""
    spec = made["spec"] | {"selector": {"matchLabels": {"controller-uid": "u"}}}
    return made | {"metadata": made["metadata"] | {"uid": "u"}, "spec": spec, "status": status}


def pod(**fields: Any) -> Manifest:
    """A pod of the stored Job."""
    return make_pod(ownerReferences=[{"kind": "Job", "name": "x", "uid": "u"}], **fields)


OLD, NEW = built("harness:1"), built("harness:2")


def test_another_image_alone_makes_another_job() -> None:
    assert OLD["metadata"]["name"] != NEW["metadata"]["name"]
    assert current(NEW, [], []) == NEW


@pytest.mark.parametrize("phase", ["Running", "Succeeded", "Failed"])
def test_a_job_whose_pod_has_run_goes_on(phase: str) -> None:
    old = stored(OLD)
    kept = current(NEW, [old], [pod(phase=phase)])
    assert plan(Desired([kept]), [old]) == Plan([], [])


def test_a_job_that_ended_before_the_upgrade_counts() -> None:
    old = stored(OLD, **ENDED)
    assert current(NEW, [old], [])["metadata"]["name"] == OLD["metadata"]["name"]


@pytest.mark.parametrize(
    "pods",
    [[], [pod(phase="Pending")], [make_pod(job="another")], [pod() | {"status": {}}]],
    ids=["no pod", "pending", "another's pod", "unknown"],
)
def test_a_job_that_has_not_begun_is_made_anew(pods: list[Manifest]) -> None:
    # Perhaps its image does not exist, and the upgrade corrects that.
    old = stored(OLD)
    assert current(NEW, [old], pods) == NEW
    assert plan(Desired([NEW]), [old]) == Plan([NEW], [Ref.of(OLD)])


@pytest.mark.parametrize(
    "asked",
    [
        built("harness:2", evaluations=[EVALUATION | {"tasks": ["other"]}]),
        built("harness:2", evaluations=[EVALUATION | {"resources": {"limits": {"cpu": 2}}}]),
        built("harness:2", artifacts={"pvc": {"claimName": "kept"}}),
        built("harness:2", retry={"limit": 9}),
        built("harness:2", Upstream(UPSTREAM.url, "tiny", "another model")),
        built("harness:2", Upstream("http://elsewhere", "tiny", "abc")),
    ],
    ids=["tasks", "resources", "artifacts", "retry", "model", "url"],
)
def test_a_run_that_asks_something_else_gets_another_job(asked: Manifest) -> None:
    assert current(asked, [stored(OLD)], [pod()]) == asked


def test_a_job_that_goes_on_can_still_be_held() -> None:
    old = stored(OLD)
    held = current(built("harness:2", suspend=True), [old], [pod()])
    (applied,) = plan(Desired([held]), [old]).apply
    assert applied["metadata"]["name"] == OLD["metadata"]["name"]
    assert applied["spec"]["suspend"] is True
    assert applied["spec"]["template"] == OLD["spec"]["template"]


def test_a_job_on_its_way_out_does_not_go_on() -> None:
    old = stored(OLD)
    old["metadata"]["deletionTimestamp"] = STAMP
    assert current(NEW, [old], [pod()]) == NEW


def test_of_two_jobs_the_one_just_built_is_meant() -> None:
    assert current(NEW, [stored(OLD), stored(NEW)], [pod()]) == NEW


def test_a_template_that_a_webhook_changed_is_left_as_it_is() -> None:
    there = stored(NEW)
    [container] = there["spec"]["template"]["spec"]["containers"]
    changed = container | {"image": f"registry.example/{container['image']}"}
    template = there["spec"]["template"]
    there["spec"] |= {"template": template | {"spec": template["spec"] | {"containers": [changed]}}}
    assert plan(Desired([current(NEW, [there], [])]), [there]) == Plan([], [])
