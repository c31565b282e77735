"""What an EvaluationRun should have, and what that amounts to."""

import asyncio
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from proctor_crds.results import ResultRecord
from proctor_crds.wire import RunResult
from proctor_operator.children.artifacts import Run
from proctor_operator.children.queueing import QUEUE_LABEL
from proctor_operator.children.upstream import Upstream
from proctor_operator.cluster import Manifest, Ref
from proctor_operator.evaluations import Evaluated, attempt, inputs, together
from proctor_operator.run_status import headline, progress
from proctor_operator.runs import (
    Observed,
    belongs,
    desire,
    judge,
    may_ask,
    next_look,
    progress_of,
    time_to_live,
    wanted_jobs,
)
from proctor_operator.settings import Settings
from proctor_operator.status import Condition, timestamp
from proctor_operator.target import ObservedTarget, of_deployment
from tests import virtual_time
from tests.builders import (
    EVALUATION,
    MODEL,
    NOW,
    STAMP,
    condition_of,
    deployment_manifest,
    ended,
    make_pod,
    make_run,
    waiting,
)

SETTINGS = Settings()
URL = "http://demo.team.svc:8080"
SECOND = EVALUATION | {"name": "more"}
TWO = [EVALUATION, SECOND]
SCORE = {"task": "sums", "metric": "acc", "value": "0.5", "stderr": "0.01", "n": 50}
READY_STATUS = {
    "observedGeneration": 1,
    "conditions": [{"type": "Ready", "status": "True", "reason": "R", "message": "1 of 1"}],
    "servedModel": "tiny",
    "checkpointDigest": "sha256:1",
    "imageDigest": "runtime@sha256:2",
}
PROVENANCE = {
    "servedModel": "tiny",
    "checkpointDigest": "sha256:1",
    "runtimeImage": "runtime@sha256:2",
    "deploymentGeneration": 1,
}
GATE = {"rules": [{"task": "sums", "metric": "acc", "min": "0.1"}]}

READY = of_deployment("demo", deployment_manifest(status=READY_STATUS), URL)
UNREADY = of_deployment("demo", deployment_manifest(), URL)
ABSENT = of_deployment("demo", None, URL)
MOVED = of_deployment(
    "demo", deployment_manifest(status=READY_STATUS | {"checkpointDigest": "sha256:9"}), URL
)


def jobs(run: Run, target: ObservedTarget = READY, **status: Any) -> list[Manifest]:
    """The Jobs of the run as the cluster has them."""
    seen = observed(target=target)
    made = [job for e in run.spec.evaluations for job in wanted_jobs(run, e, seen, SETTINGS)]
    return [stored(job) | {"status": status} for job in made]


def stored(job: Manifest) -> Manifest:
    """A Job with what the apiserver adds."""
    return {**job, "metadata": job["metadata"] | {"uid": f"uid-of-{job['metadata']['name']}"}}


def job_name(run: Run, target: ObservedTarget = READY) -> str:
    """The name of the first evaluation's Job."""
    name: str = jobs(run, target)[0]["metadata"]["name"]
    return name


def observed(
    children: list[Manifest] | None = None,
    pods: list[Manifest] | None = None,
    target: ObservedTarget = READY,
    progress: Any = None,
) -> Observed:
    """What is seen of a run."""
    return Observed(target, children or [], pods or [], progress or {})


def finished(run: Run, **fields: Any) -> Manifest:
    """The stored status of the first evaluation after it ended."""
    name = run.spec.evaluations[0].name
    return {
        "name": name,
        "job": job_name(run),
        "inputs": inputs_of(run),
        "provenance": PROVENANCE,
        "progress": {"done": 50, "total": 50},
        "results": [SCORE],
        "completionTime": STAMP,
        **fields,
    }


def inputs_of(run: Run) -> str:
    """What stands for the inputs of the first evaluation."""
    return inputs(run.spec, run.spec.evaluations[0])


def status_of(run: Run, seen: Observed) -> Manifest:
    """The fields of the status."""
    return judge(run, seen, SETTINGS, NOW)[1]


def condition(run: Run, seen: Observed, kind: str) -> Condition:
    """One condition."""
    found: Condition = condition_of(judge(run, seen, SETTINGS, NOW)[0], kind)
    return found


def applied(run: Run, seen: Observed) -> list[str]:
    """Names of the Jobs that shall exist."""
    return [m["metadata"]["name"] for m in desire(run, seen, SETTINGS).apply]


COMPLETE: Manifest = {"conditions": [{"type": "Complete", "status": "True"}]}
FAILED: Manifest = {"conditions": [{"type": "Failed", "status": "True", "message": "m"}]}


def scored_pod(run: Run) -> Manifest:
    """The pod of the first Job, with a score."""
    record = ResultRecord.model_validate(SCORE)
    words = RunResult(results=[record], requests=50).model_dump_json()
    return make_pod(phase="Succeeded", job=job_name(run), containers=[ended("harness", 0, words)])


def held_pod(run: Run, reason: str = "CreateContainerConfigError") -> Manifest:
    """The pod of the first Job, kept from starting."""
    return make_pod(phase="Pending", job=job_name(run), init=[waiting("adapter", reason)])


class TestDesire:
    def test_a_ready_target_starts_a_job_for_each_evaluation(self) -> None:
        run = make_run(evaluations=TWO)
        assert len(applied(run, observed())) == 2

    @pytest.mark.parametrize("target", [UNREADY, ABSENT], ids=["not ready", "absent"])
    def test_nothing_starts_before_the_target_is_ready(self, target: ObservedTarget) -> None:
        assert applied(make_run(), observed(target=target)) == []

    def test_a_job_goes_on_while_the_target_is_not_ready_for_a_while(self) -> None:
        run = make_run()
        assert applied(run, observed(jobs(run), target=UNREADY)) == [job_name(run)]

    def test_a_job_ends_when_the_target_is_gone(self) -> None:
        run = make_run()
        wanted = desire(run, observed(jobs(run), target=ABSENT), SETTINGS)
        assert (list(wanted.apply), wanted.keep) == ([], frozenset())

    def test_a_suspended_run_starts_nothing_and_suspends_what_runs(self) -> None:
        run = make_run(suspend=True)
        assert applied(run, observed()) == []
        (job,) = desire(run, observed(jobs(run)), SETTINGS).apply
        assert job["spec"]["suspend"] is True

    def test_suspending_does_not_make_another_job(self) -> None:
        assert job_name(make_run(suspend=True)) == job_name(make_run())

    def test_a_job_in_a_queue_is_kueue_s_to_start_and_to_stop(self) -> None:
        run = make_run(queueName="team")
        (new,) = desire(run, observed(), SETTINGS).apply
        assert new["spec"]["suspend"] is True
        for job in jobs(run):
            (held,) = desire(run, observed([job]), SETTINGS).apply
            assert held["spec"]["suspend"] is True
            admitted = job | {"spec": job["spec"] | {"suspend": False}}
            (left,) = desire(run, observed([admitted]), SETTINGS).apply
            assert "suspend" not in left["spec"]

    def test_so_is_one_that_kueue_queued_of_itself(self) -> None:
        run, held = make_run(), make_run(suspend=True)
        for suspended in (True, False):
            [job] = jobs(run)
            job["metadata"]["labels"][QUEUE_LABEL] = "default"
            job["spec"] |= {"suspend": suspended}
            seen = observed([job])
            [applied_job] = desire(run, seen, SETTINGS).apply
            assert applied_job["spec"].get("suspend", False) is suspended
            assert ("suspend" in applied_job["spec"]) is suspended
            assert desire(held, seen, SETTINGS).apply == []
        job["spec"]["suspend"] = True
        assert "LocalQueue default" in condition(run, seen, "Running").message

    def test_a_suspended_run_leaves_its_queue(self) -> None:
        run = make_run(queueName="team", suspend=True)
        wanted = desire(run, observed(jobs(run)), SETTINGS)
        assert (list(wanted.apply), wanted.keep) == ([], frozenset())
        assert applied(run, observed(jobs(run, **COMPLETE))) == [job_name(run)]

    @pytest.mark.parametrize(
        "change",
        [
            {"evaluations": [EVALUATION | {"resources": {"limits": {"memory": "1Gi"}}}]},
            {"retry": {"limit": 9}},
            {"artifacts": {"s3": {"uri": "s3://corrected"}}},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_what_may_help_a_failed_evaluation_tries_it_again(self, change: Manifest) -> None:
        told = {"reason": "OutOfMemory", "message": "m"}
        before = make_run()
        tried = attempt(before.spec, before.spec.evaluations[0])
        ends = [finished(before, failure=told, attempt=tried)]
        assert applied(make_run(status={"evaluations": ends}), observed()) == []
        run = make_run(status={"evaluations": ends}, **change)
        assert applied(run, observed(jobs(make_run(), **FAILED))) == [job_name(run)]

    def test_a_finished_evaluation_keeps_its_job_and_needs_it_no_more(self) -> None:
        run = make_run()
        after = make_run(status={"observedGeneration": 1, "evaluations": [finished(run)]})
        for children in ([], jobs(run, **COMPLETE)):
            wanted = desire(after, observed(children), SETTINGS)
            assert wanted.apply == []
            assert wanted.keep == {Ref("batch/v1", "Job", "team", job_name(run))}

    def test_a_job_that_would_start_its_adapter_for_ever_is_ended(self) -> None:
        run = make_run()
        refused = {"reason": "ParameterInvalid", "message": "m"}
        after = make_run(status={"evaluations": [finished(run, failure=refused)]})
        wanted = desire(after, observed(jobs(run)), SETTINGS)
        assert (list(wanted.apply), wanted.keep) == ([], frozenset())

    def test_two_pods_never_write_to_the_same_artifacts(self) -> None:
        kept = {"pvc": {"claimName": "kept"}}
        run = make_run(artifacts=kept)
        labels = {"proctor.dev/evaluation": "sums"}
        left = make_pod(labels=labels, job="another", deletionTimestamp=STAMP)
        assert applied(run, observed(pods=[left])) == []
        told = condition(run, observed(pods=[left]), "Running")
        assert (told.status, told.reason) == ("False", "WaitingForPod")
        assert told.message == "Pod pod of an earlier Job has not ended"
        for gone in (make_pod(labels=labels, phase="Failed"), make_pod(labels={"a": "b"})):
            assert applied(run, observed(pods=[gone])) == [job_name(run)]
        assert applied(make_run(), observed(pods=[left])) == [job_name(make_run())]

    def test_another_chain_of_the_adapter_is_another_evaluation(self) -> None:
        ends = [finished(make_run())]
        run = make_run(adapter={"use_reasoning": True}, status={"evaluations": ends})
        assert applied(run, observed()) == [job_name(run)]

    @pytest.mark.parametrize("target", [UNREADY, ABSENT], ids=["not ready", "absent"])
    def test_a_finished_run_does_not_care_what_becomes_of_the_target(
        self, target: ObservedTarget
    ) -> None:
        status = {"observedGeneration": 1, "evaluations": [finished(make_run())]}
        run = make_run(status=status)
        assert applied(run, observed(target=target)) == []
        assert status_of(run, observed(target=target))["evaluations"] == status["evaluations"]

    @pytest.mark.parametrize("target", [UNREADY, ABSENT], ids=["not ready", "absent"])
    def test_nor_do_its_conditions(self, target: ObservedTarget) -> None:
        before, _ = judge(make_run(), observed(), SETTINGS, NOW)
        status = {"conditions": [asdict(c) for c in before]}
        run = make_run(status=status | {"evaluations": [finished(make_run())]})
        assert condition(run, observed(target=target), "TargetReady") == READY.condition
        unfinished = make_run(status=status)
        assert condition(unfinished, observed(target=target), "TargetReady") == target.condition

    def test_a_change_that_scores_depend_on_makes_another_job(self) -> None:
        changed = [EVALUATION | {"tasks": ["other"]}]
        run = make_run(evaluations=changed, status={"evaluations": [finished(make_run())]})
        assert applied(run, observed(jobs(make_run()))) == [job_name(run)]
        assert job_name(run) != job_name(make_run())
        assert "results" not in status_of(run, observed(jobs(run)))["evaluations"][0]

    @pytest.mark.parametrize(
        "change",
        [
            {"gate": GATE},
            {"retry": {"limit": 9}},
            {"evaluations": [EVALUATION | {"resources": {"limits": {"memory": "1Gi"}}}]},
            {"ttlSecondsAfterFinished": 9},
            {"artifacts": {"s3": {"uri": "s3://corrected"}}},
        ],
        ids=lambda change: next(iter(change)),
    )
    @pytest.mark.parametrize("target", [READY, ABSENT], ids=["ready", "absent"])
    def test_no_edit_of_anything_else_loses_scores(
        self, change: dict[str, Any], target: ObservedTarget
    ) -> None:
        ends = [finished(make_run())]
        run = make_run(
            generation=2, status={"observedGeneration": 1, "evaluations": ends}, **change
        )
        assert applied(run, observed(target=target)) == []
        assert status_of(run, observed(target=target))["evaluations"] == ends

    def test_another_target_is_another_evaluation(self) -> None:
        ends = [finished(make_run())]
        run = make_run(target={"deploymentRef": {"name": "b"}}, status={"evaluations": ends})
        assert applied(run, observed()) == [job_name(run)]

    def test_an_operator_with_other_images_keeps_the_scores(self) -> None:
        run = make_run(status={"evaluations": [finished(make_run())]})
        other = Settings(harness_images={"lm-eval": "new"})
        assert desire(run, observed(jobs(make_run())), other).apply == []

    def test_an_unfinished_evaluation_whose_job_is_gone_gets_a_new_one(self) -> None:
        run = make_run()
        begun = status_of(run, observed(jobs(run), progress={job_name(run): {"done": 7}}))
        again = make_run(status=begun)
        assert applied(again, observed()) == [job_name(run)]
        assert condition(again, observed(), "Succeeded").reason == "NotFinished"

    def test_another_gate_judges_the_same_scores(self) -> None:
        status = {"observedGeneration": 1, "evaluations": [finished(make_run())]}
        run = make_run(generation=2, gate=GATE, status=status)
        assert applied(run, observed()) == []
        assert condition(run, observed(), "GatePassed").status == "True"

    def test_another_model_makes_another_job(self) -> None:
        other = deployment_manifest(status=READY_STATUS, engine={"dtype": "float16"})
        assert job_name(make_run(), of_deployment("demo", other, URL)) != job_name(make_run())


class TestConditions:
    def test_a_run_that_waits_says_for_what(self) -> None:
        found = condition(make_run(), observed(target=ABSENT), "Running")
        assert (found.status, found.reason) == ("False", "WaitingForTarget")
        assert "demo does not exist" in found.message
        assert condition(make_run(), observed(target=ABSENT), "TargetReady").status == "False"

    def test_a_suspended_run_says_so(self) -> None:
        run = make_run(suspend=True)
        assert condition(run, observed(jobs(run)), "Running").reason == "Suspended"

    def test_a_run_with_jobs_runs(self) -> None:
        run = make_run()
        found = condition(run, observed(jobs(run), [make_pod(job=job_name(run))]), "Running")
        assert (found.status, found.reason) == ("True", "JobsRunning")
        assert job_name(run) in found.message

    def test_a_run_that_waits_for_quota_says_of_which_queue(self) -> None:
        run = make_run(queueName="team", evaluations=TWO)
        first, second = jobs(run)
        found = condition(run, observed([first, second]), "Running")
        assert (found.status, found.reason) == ("False", "WaitingForQuota")
        assert "LocalQueue team" in found.message
        admitted = first | {"spec": first["spec"] | {"suspend": False}}
        found = condition(run, observed([admitted, second]), "Running")
        assert (found.status, found.reason) == ("True", "JobsRunning")
        assert found.message == f"Jobs: {first['metadata']['name']}"

    def test_a_pod_that_was_taken_away_is_told_until_another_runs(self) -> None:
        run = make_run()
        why = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
        of_run: dict[str, Any] = {"job": job_name(run)}
        taken = make_pod("old", conditions=[why], deletionTimestamp=STAMP, **of_run)
        found = condition(run, observed(jobs(run), [taken]), "Running")
        assert (found.status, found.reason) == ("False", "Disrupted")
        assert found.message == "pod old: EvictionByEvictionAPI"
        since = {"lastTransitionTime": "2026-01-02T03:04:00Z"}
        told = make_run(status={"conditions": [asdict(found) | since]})
        crashed = make_pod(phase="Failed", **of_run)
        earlier = make_pod(phase="Failed", creationTimestamp="2026-01-02T03:03:00Z", **of_run)
        share = make_pod(phase="Succeeded", **of_run)
        for pods in ([], [earlier], [share], [share, earlier]):
            assert condition(told, observed(jobs(run), pods), "Running") == found
        assert condition(told, observed(jobs(run), [crashed, earlier]), "Running").status == "True"
        evicted = make_pod("evicted", phase="Failed", conditions=[why], creationTimestamp="2025")
        evicted["metadata"]["ownerReferences"] = crashed["metadata"]["ownerReferences"]
        assert condition(run, observed(jobs(run), [evicted, crashed]), "Running").status == "True"
        next_pod = make_pod(phase="Pending", **of_run)
        assert condition(told, observed(jobs(run), [next_pod]), "Running").status == "True"
        found = condition(run, observed(jobs(run), [taken, make_pod(**of_run)]), "Running")
        assert (found.status, found.reason) == ("True", "JobsRunning")

    def test_a_pod_that_cannot_start_is_told(self) -> None:
        run = make_run()
        found = condition(run, observed(jobs(run), [held_pod(run)]), "Running")
        assert (found.status, found.reason) == ("False", "ContainerConfigInvalid")

    @pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
    def test_the_kubelet_s_going_back_and_forth_is_one_condition(self, reason: str) -> None:
        run = make_run()
        found = condition(run, observed(jobs(run), [held_pod(run, reason)]), "Running")
        assert (found.status, found.reason) == ("False", "ImagePullFailed")

    def test_a_pod_of_a_job_that_is_gone_does_not_count(self) -> None:
        run = make_run()
        pod = held_pod(run)
        pod["metadata"]["ownerReferences"][0]["uid"] = "of a Job of the same name"
        assert condition(run, observed(jobs(run), [pod]), "Running").status == "True"

    def test_a_job_that_ended_does_not_run(self) -> None:
        run = make_run(evaluations=TWO)
        first, _ = jobs(run, **COMPLETE)
        found = condition(run, observed([first], target=ABSENT), "Running")
        assert found.reason == "WaitingForTarget"

    def test_a_run_whose_evaluations_are_open_has_no_outcome(self) -> None:
        run = make_run(evaluations=TWO, gate=GATE)
        found = condition(run, observed(jobs(run)), "Succeeded")
        assert (found.status, found.reason) == ("Unknown", "NotFinished")
        assert found.message == "Not finished: sums, more"
        assert condition(run, observed(jobs(run)), "GatePassed").status == "Unknown"

    def test_a_run_with_all_scores_succeeded(self) -> None:
        run = make_run(gate=GATE)
        seen = observed(jobs(run, **COMPLETE), [scored_pod(run)])
        assert condition(run, seen, "Succeeded").status == "True"
        assert condition(run, seen, "Running").reason == "Finished"
        assert condition(run, seen, "GatePassed").status == "True"

    @pytest.mark.parametrize(
        ("fields", "where"),
        [
            ({}, "went with the pod: set spec.artifacts"),
            ({"artifacts": {"pvc": {"claimName": "c"}}}, "are in the artifacts' results.json"),
        ],
        ids=["nowhere", "artifacts"],
    )
    def test_scores_that_did_not_fit_are_told(self, fields: Manifest, where: str) -> None:
        other = {"rules": [{"task": "sums", "metric": "f1", "min": "0"}]}
        ends = [finished(make_run(), truncated=True)]
        run = make_run(gate=other, status={"evaluations": ends}, **fields)
        found = condition(run, observed(), "Succeeded")
        assert (found.status, found.reason) == ("True", "AllScored")
        assert "have scores; sums had more scores than fit here: " in found.message
        assert where in found.message
        told = condition(run, observed(), "GatePassed")
        assert (told.status, told.reason) == ("Unknown", "MetricNotFound")
        assert "sums/f1 may be among the scores of sums that did not fit" in told.message

    def test_a_failed_gate_is_no_failed_run(self) -> None:
        strict = {"rules": [{"task": "sums", "metric": "acc", "min": "0.9"}]}
        run = make_run(gate=strict)
        seen = observed(jobs(run, **COMPLETE), [scored_pod(run)])
        assert condition(run, seen, "Succeeded").status == "True"
        assert condition(run, seen, "GatePassed").status == "False"

    def test_what_the_harnesses_found_before_asking_is_one_condition(self) -> None:
        run = make_run(evaluations=TWO)
        assert condition(run, observed(jobs(run)), "Preflight").status == "Unknown"
        asked = {job["metadata"]["name"]: {"done": 1} for job in jobs(run)}
        assert condition(run, observed(jobs(run), progress=asked), "Preflight").status == "True"
        why = {"sums": ("UnknownTask", "a"), "more": ("PreflightFailed", "b")}
        ends = [
            finished(
                run,
                name=e.name,
                inputs=inputs(run.spec, e),
                failure=dict(zip(("reason", "message"), why[e.name], strict=True)),
            )
            for e in run.spec.evaluations
        ]
        after = make_run(evaluations=TWO, status={"evaluations": ends})
        found = condition(after, observed(), "Preflight")
        assert (found.status, found.reason) == ("False", "PreflightFailed")
        assert found.message == "sums: a; more: b"

    def test_a_harness_that_fails_later_had_found_nothing(self) -> None:
        why = {"reason": "HarnessFailed", "message": "m"}
        run = make_run(status={"evaluations": [finished(make_run(), failure=why)]})
        assert condition(run, observed(), "Preflight").status == "True"

    @pytest.mark.parametrize("reason", ["ArtifactsRefused", "SourceDenied", "HarnessFailed"])
    def test_what_ends_a_run_before_an_answer_was_found_before_asking(self, reason: str) -> None:
        ended = finished(
            make_run(),
            failure={"reason": reason, "message": "m"},
            progress={"done": 0},
            results=[],
        )
        run = make_run(status={"evaluations": [ended]})
        found = condition(run, observed(), "Preflight")
        assert (found.status, found.reason, found.message) == ("False", reason, "sums: m")

    def test_one_reason_of_failure_is_the_run_s(self) -> None:
        run = make_run()
        found = condition(run, observed(jobs(run, **FAILED)), "Succeeded")
        assert (found.status, found.reason) == ("False", "HarnessFailed")
        assert found.message == "sums: m"

    def test_several_reasons_of_failure_are_one(self) -> None:
        why = [{"reason": r, "message": "m"} for r in ("UnknownTask", "HarnessFailed")]
        run = make_run(evaluations=TWO)
        ends = [
            finished(run, name=e.name, inputs=inputs(run.spec, e), failure=w)
            for e, w in zip(run.spec.evaluations, why, strict=True)
        ]
        after = make_run(evaluations=TWO, status={"evaluations": ends})
        found = condition(after, observed(), "Succeeded")
        assert found.reason == "EvaluationFailed"
        assert found.message == "sums: m; more: m"

    def test_a_run_without_a_gate_has_no_verdict(self) -> None:
        conditions, _ = judge(make_run(), observed(), SETTINGS, NOW)
        assert "GatePassed" not in [c.type for c in conditions]

    def test_fifty_long_failures_are_still_a_status(self) -> None:
        many = [EVALUATION | {"name": f"e{i}"} for i in range(50)]
        run = make_run(evaluations=many)
        long: Manifest = {
            "conditions": [{"type": "Failed", "status": "True", "message": "m" * 4096}]
        }
        assert condition(run, observed(jobs(run, **long)), "Succeeded").status == "False"


class TestStatus:
    def test_before_anything_there_is_no_start(self) -> None:
        found = status_of(make_run(), observed(target=ABSENT))
        assert found == {
            "progress": "0/?",
            "evaluations": [
                {"name": "sums", "inputs": inputs_of(make_run()), "progress": {"done": 0}}
            ],
        }

    def test_a_run_starts_with_its_first_job(self) -> None:
        run = make_run()
        assert status_of(run, observed(jobs(run)))["startTime"] == STAMP
        before = make_run(status={"startTime": "2026-01-01T00:00:00Z"})
        assert status_of(before, observed(jobs(run)))["startTime"] == "2026-01-01T00:00:00Z"

    def test_a_finished_run_has_scores_and_where_they_come_from(self) -> None:
        run = make_run()
        found = status_of(run, observed(jobs(run, **COMPLETE), [scored_pod(run)]))
        assert found["completionTime"] == STAMP
        assert (found["progress"], found["score"]) == ("50/50", "0.5000 ± 0.0100")
        assert found["evaluations"] == [finished(run, results=[SCORE | {"filter": "none"}])]

    def test_what_a_finished_run_came_from_does_not_change_any_more(self) -> None:
        run = make_run()
        status = status_of(run, observed(jobs(run, **COMPLETE), [scored_pod(run)]))
        after = make_run(status=status | {"observedGeneration": 1})
        seen = observed(target=MOVED)
        assert judge(after, seen, SETTINGS, NOW + timedelta(days=1))[1] == status

    def test_where_scores_come_from_is_what_the_target_said_while_their_job_ran(self) -> None:
        run = make_run()
        begun = make_run(status=status_of(run, observed(jobs(run))))
        ends = observed(jobs(run, **COMPLETE), [scored_pod(run)], target=MOVED)
        assert status_of(begun, ends)["evaluations"][0]["provenance"] == PROVENANCE

    def test_a_target_that_falls_silent_takes_nothing_back(self) -> None:
        run = make_run()
        begun = make_run(status=status_of(run, observed(jobs(run))))
        found = status_of(begun, observed(jobs(run), target=UNREADY))
        assert found["evaluations"][0]["provenance"] == PROVENANCE

    def test_an_evaluation_without_a_job_comes_from_nowhere_yet(self) -> None:
        assert "provenance" not in status_of(make_run(), observed())["evaluations"][0]

    def test_each_evaluation_tells_where_its_own_scores_come_from(self) -> None:
        first = finished(make_run(), provenance={"checkpointDigest": "sha256:0"})
        run = make_run(evaluations=TWO, status={"evaluations": [first]})
        told = status_of(run, observed(jobs(run)))["evaluations"]
        assert [e["provenance"]["checkpointDigest"] for e in told] == ["sha256:0", "sha256:1"]

    def test_an_external_target_has_no_provenance(self) -> None:
        run = make_run(target={"endpoint": {"url": "http://x", "model": "m"}})
        outside = ObservedTarget(READY.condition, Upstream("http://x", "m"))
        made = jobs(run, outside)
        assert "provenance" not in status_of(run, observed(made, target=outside))["evaluations"][0]

    def test_progress_comes_from_the_adapter_and_stays_while_it_is_silent(self) -> None:
        run = make_run()
        seen = observed(jobs(run), progress={job_name(run): {"done": 7, "total": 9}})
        found = status_of(run, seen)
        assert found["progress"] == "7/9"
        silent = make_run(status=found)
        assert status_of(silent, observed(jobs(run)))["progress"] == "7/9"

    def test_when_progress_moved_is_kept(self) -> None:
        before = {"progress": "0/?", "lastProgressTime": "2025-01-01T00:00:00Z"}
        run = make_run(status=before)
        assert status_of(run, observed(jobs(run)))["lastProgressTime"] == "2025-01-01T00:00:00Z"
        moved = observed(jobs(run), progress={job_name(run): {"done": 7}})
        assert status_of(run, moved)["lastProgressTime"] == STAMP

    @pytest.mark.parametrize(("seconds", "may"), [(0, False), (4, False), (5, True), (60, True)])
    def test_adapters_are_not_asked_before_the_pause_is_over(self, seconds: int, may: bool) -> None:
        run = make_run(status={"lastProgressTime": STAMP})
        assert may_ask(run, SETTINGS, NOW + timedelta(seconds=seconds)) is may
        assert may_ask(make_run(), SETTINGS, NOW)

    def test_a_suspended_run_that_left_its_queue_keeps_its_progress(self) -> None:
        run = make_run(queueName="team")
        told = {"job": job_name(run), "progress": {"done": 7, "total": 9}, "provenance": PROVENANCE}
        status = {"evaluations": [{"name": "sums", "inputs": inputs_of(run), **told}]}
        [kept] = status_of(make_run(queueName="team", suspend=True, status=status), observed())[
            "evaluations"
        ]
        assert kept == {"name": "sums", "inputs": inputs_of(run), **told}

    def test_progress_of_another_job_is_forgotten(self) -> None:
        other = {"name": "sums", "job": "other", "progress": {"done": 7}}
        run = make_run(status={"evaluations": [other]})
        assert status_of(run, observed(jobs(run)))["progress"] == "0/?"

    def test_pods_of_another_job_are_not_heard(self) -> None:
        run = make_run()
        stranger = scored_pod(make_run("other"))
        found = status_of(run, observed(jobs(run, **COMPLETE), [stranger]))
        assert found["evaluations"][0]["failure"]["reason"] == "Unscored"

    def test_judging_twice_changes_nothing(self) -> None:
        run = make_run(gate=GATE)
        seen = observed(jobs(run, **COMPLETE), [scored_pod(run)])
        once = status_of(run, seen)
        again = make_run(gate=GATE, status=once | {"observedGeneration": 1})
        assert judge(again, seen, SETTINGS, NOW + timedelta(minutes=1))[1] == once


SHARDED = EVALUATION | {"shards": 3}
KEPT = {"artifacts": {"pvc": {"claimName": "kept"}}}


class TestShards:
    def test_pods_that_share_the_questions_come_first(self) -> None:
        run = make_run(evaluations=[SHARDED], **KEPT)
        (asking,) = desire(run, observed(), SETTINGS).apply
        spec = asking["spec"]
        assert (spec["completions"], spec["parallelism"]) == (3, 3)
        assert spec["completionMode"] == "Indexed"

    def test_the_one_that_scores_comes_when_all_have_asked(self) -> None:
        run = make_run(evaluations=[SHARDED], **KEPT)
        for status, count in (({}, 1), ({"succeeded": 2}, 1), (COMPLETE, 2)):
            wanted = desire(run, observed(jobs(run, **status)), SETTINGS).apply
            assert len(wanted) == count
        scoring = wanted[1]["spec"]
        assert (scoring["completions"], "completionMode" in scoring) == (1, False)
        assert wanted[0]["metadata"]["name"] == jobs(run)[0]["metadata"]["name"]

    def test_that_all_have_asked_is_no_end(self) -> None:
        run = make_run(evaluations=[SHARDED], **KEPT)
        found = status_of(run, observed(jobs(run, **COMPLETE)))
        assert "completionTime" not in found["evaluations"][0]

    def test_the_scores_are_those_of_the_one_that_scores(self) -> None:
        run = make_run(evaluations=[SHARDED], **KEPT)
        asking = jobs(run, **COMPLETE)
        (evaluation,) = run.spec.evaluations
        scoring = wanted_jobs(run, evaluation, observed(asking), SETTINGS)[1]
        done = stored(scoring) | {"status": COMPLETE}
        words = RunResult(results=[ResultRecord.model_validate(SCORE)]).model_dump_json()
        pod = make_pod(job=scoring["metadata"]["name"], containers=[ended("harness", 0, words)])
        found = status_of(run, observed([*asking, done], [pod]))["evaluations"][0]
        assert found["results"][0]["value"] == "0.5"

    def test_what_was_asked_stays_asked_while_it_is_scored(self) -> None:
        run = make_run(evaluations=[SHARDED], **KEPT)
        asking = jobs(run, **COMPLETE)
        (evaluation,) = run.spec.evaluations
        scoring = stored(wanted_jobs(run, evaluation, observed(asking), SETTINGS)[1])
        told = {asking[0]["metadata"]["name"]: {"done": 9, "total": 9}}
        begun = told | {scoring["metadata"]["name"]: {"done": 0, "total": 9}}
        for seen in (
            observed(asking, progress=told),
            observed([*asking, scoring], progress=told),
            observed([*asking, scoring], progress=begun),
        ):
            assert status_of(run, seen)["progress"] == "9/9"
            assert condition(run, seen, "Preflight").status == "True"

    def test_one_that_fails_fails_the_evaluation(self) -> None:
        run = make_run(evaluations=[SHARDED], **KEPT)
        found = status_of(run, observed(jobs(run, **FAILED)))["evaluations"][0]
        assert found["failure"]["reason"] == "HarnessFailed"

    def test_a_pod_can_have_the_name_of_its_job_with_its_index(self) -> None:
        long = SHARDED | {"name": "e" * 63, "shards": 1000}
        run = make_run("r" * 63, evaluations=[long], **KEPT)
        assert len(f"{job_name(run)}-999") <= 63


async def test_the_progress_of_shards_adds_up_though_some_have_ended() -> None:
    index = {"annotations": {"batch.kubernetes.io/job-completion-index": "1"}}
    words = RunResult(results=[], requests=40).model_dump_json()
    said = [ended("harness", 0, words)]
    over = make_pod("b", phase="Succeeded", job="j", containers=said, **index)
    scored = make_pod("d", phase="Succeeded", job="k", containers=said)
    pods = [make_pod("a", job="j"), over, make_pod("c", job="j"), scored]

    class Cluster:
        async def get_json(self, pod: Manifest, *_: str) -> Manifest | None:
            told = {"a": {"done": 5, "total": 30}, "c": {"done": 7, "total": 31}}
            return told[pod["metadata"]["name"]]

    found = await progress_of(pods, Cluster())  # type: ignore[arg-type]
    assert found == {"j": {"done": 52, "total": 101}}
    assert together([{"done": 1, "total": 2}, {"done": 1}]) == {"done": 2}


def test_adapters_out_of_reach_cost_one_timeout_in_all() -> None:
    class Unreachable:
        async def get_json(self, *_: Any) -> None:
            await asyncio.sleep(5)

    async def scene() -> tuple[Any, float]:
        begun = asyncio.get_running_loop().time()
        pods = [make_pod(f"p{n}", job="j") for n in range(100)]
        found = await progress_of(pods, Unreachable())  # type: ignore[arg-type]
        return found, asyncio.get_running_loop().time() - begun

    assert virtual_time.run(scene()) == ({}, 5)


@pytest.mark.parametrize(
    ("artifacts", "shown"), [({"pvc": {"claimName": "kept"}}, "7/9"), (None, "0/9")], ids=str
)
def test_what_is_kept_counts_while_another_pod_takes_over(
    artifacts: Manifest | None, shown: str
) -> None:
    spec = {"artifacts": artifacts} if artifacts else {}
    run = make_run(**spec)
    seen = observed(jobs(run), progress={job_name(run): {"done": 7, "total": 9}})
    again = make_run(**spec, status=status_of(run, seen))
    new_pod = observed(jobs(run), progress={job_name(run): {"done": 0, "total": 9}})
    assert status_of(again, new_pod)["progress"] == shown


def test_a_pod_without_an_owner_belongs_to_no_job() -> None:
    assert not belongs({"metadata": {}}, jobs(make_run())[0])


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ([{"done": 1, "total": 2}, {"done": 3, "total": 4}], "4/6"),
        ([{"done": 1, "total": 2}, {"done": 3}], "4/?"),
        ([{"done": 0, "total": 0}], "0/0"),
    ],
)
def test_progress_adds_up(counts: list[Manifest], shown: str) -> None:
    assert progress([Evaluated({"progress": count}) for count in counts]) == shown


@pytest.mark.parametrize(
    ("results", "shown"),
    [([], None), ([SCORE], "0.5000 ± 0.0100"), ([SCORE | {"stderr": None}], "0.5000")],
)
def test_the_headline_is_the_first_score(results: list[Manifest], shown: str | None) -> None:
    assert headline([Evaluated({}), Evaluated({"results": results})]) == shown


class TestNextLook:
    def test_a_running_pod_is_looked_at_again_for_its_progress(self) -> None:
        run = make_run(ttlSecondsAfterFinished=60)
        seen = observed(pods=[make_pod()])
        assert next_look(run, seen, SETTINGS, {}, NOW) == timedelta(seconds=5)

    def test_a_job_that_goes_on_without_need_is_looked_at_soon(self) -> None:
        run = make_run()
        status = {"evaluations": [finished(run)]}
        for seen, seconds in (
            (observed(jobs(run), [make_pod()]), 1),
            (observed(jobs(run, **COMPLETE), [make_pod()]), 5),
        ):
            assert next_look(run, seen, SETTINGS, status, NOW) == timedelta(seconds=seconds)

    def test_what_asked_the_shares_does_not_outlast_the_run(self) -> None:
        run = make_run()
        ended = {"evaluations": [finished(run)]}
        [scored] = jobs(run, **COMPLETE)
        asked = {**scored, "metadata": {**scored["metadata"], "name": "shards"}}
        for status, wanted in ((ended, None), (ended | {"completionTime": STAMP}, 1)):
            looked = next_look(run, observed([scored, asked]), SETTINGS, status, NOW)
            assert looked == (wanted and timedelta(seconds=wanted))

    def test_a_run_that_stays_is_not_looked_at_again(self) -> None:
        assert next_look(make_run(), observed(), SETTINGS, {"completionTime": STAMP}, NOW) is None

    def test_a_run_that_goes_is_looked_at_when_its_time_has_come(self) -> None:
        run = make_run(ttlSecondsAfterFinished=60)
        status = {"completionTime": STAMP}
        assert next_look(run, observed(), SETTINGS, status, NOW) == timedelta(seconds=60)
        late = NOW + timedelta(hours=1)
        assert next_look(run, observed(), SETTINGS, status, late) == timedelta(seconds=1)

    @pytest.mark.parametrize(
        ("ttl", "status", "left"),
        [
            (None, {"completionTime": STAMP}, None),
            (60, {}, None),
            (0, {"completionTime": STAMP}, timedelta(0)),
            (60, {"completionTime": STAMP}, timedelta(seconds=60)),
        ],
        ids=["stays", "runs", "at once", "in a minute"],
    )
    def test_the_time_left(self, ttl: int | None, status: Manifest, left: Any) -> None:
        spec: dict[str, Any] = {} if ttl is None else {"ttlSecondsAfterFinished": ttl}
        assert time_to_live(make_run(**spec), status, NOW) == left


def test_the_builder_s_model_is_the_one_that_is_asked_for() -> None:
    assert READY.upstream
    assert READY.upstream.model == MODEL["servedName"]


@pytest.mark.parametrize(
    ("value", "stderr", "shown"),
    [("1.2345e+217", "3e200", "1.234e+217 ± 3e+200"), ("1e6", "0.5", "1e+06 ± 0.5000")],
)
def test_a_score_of_any_size_has_room(value: str, stderr: str, shown: str) -> None:
    assert headline([Evaluated({"results": [SCORE | {"value": value, "stderr": stderr}]})]) == shown


@pytest.mark.parametrize(
    ("status", "age", "running"),
    [
        ({}, 31, "False"),
        ({}, 29, "True"),
        ({"active": 1}, 31, "True"),
        ({"failed": 1}, 31, "True"),
    ],
    ids=["never", "not yet", "not seen", "taken away"],
)
def test_a_job_that_gets_no_pod_does_not_run(status: Manifest, age: int, running: str) -> None:
    run, began = make_run(), timestamp(NOW - timedelta(seconds=age))
    found = condition(run, observed(jobs(run, startTime=began, **status)), "Running")
    assert found.status == running
    if running == "False":
        assert found.reason == "ChildRejected"
        assert f"Job {job_name(run)} gets no pod: a quota or a policy" in found.message


def test_what_a_later_version_stored_can_be_judged() -> None:
    run = make_run(gate=GATE)
    tried = attempt(run.spec, run.spec.evaluations[0])
    told = {"failure": {"reason": "Newer", "message": "m"}, "attempt": tried}
    failed = finished(run, **told, results=[], progress={"done": 0})
    again = make_run(gate=GATE, status={"evaluations": [failed]})
    for kind in ("Preflight", "Succeeded"):
        found = condition(again, observed(), kind)
        assert (found.status, found.reason) == ("False", "EvaluationFailed")
    scored = finished(run, results=[SCORE | {"newer": 1}])
    again = make_run(gate=GATE, status={"evaluations": [scored]})
    assert condition(again, observed(), "GatePassed").status == "True"
