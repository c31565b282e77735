"""One evaluation, judged from its Job and the Job's pods."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from proctor_crds.evaluation_run import (
    PARTS,
    RECORDS,
    Evaluation,
    EvaluationRunSpec,
    Progress,
)
from proctor_crds.reasons import Reason
from proctor_crds.results import Flagged
from proctor_crds.wire import EXIT_REJECTED, RunResult, Unscored
from proctor_operator.children.adapter import ADAPTER
from proctor_operator.children.evaluation_job import HARNESS, INDEX_ANNOTATION
from proctor_operator.children.naming import digest
from proctor_operator.cluster import Manifest
from proctor_operator.metadata import ending
from proctor_operator.pods import (
    Trouble,
    from_termination,
    last_end,
    newest_first,
    parsed_result,
    phase,
    terminated,
    trouble,
)
from proctor_operator.status import timestamp

GONE = (
    "The Job completed, but its pods were deleted before their scores were read: change"
    " spec.retry.limit to evaluate it again, which asks nothing that lies in spec.artifacts"
)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation as the status stores it (`EvaluationStatus`)."""

    stored: Manifest

    @property
    def finished(self) -> bool:
        """Whether it ended, with scores or without."""
        return "completionTime" in self.stored

    @property
    def failed(self) -> bool:
        """Whether it ended without scores."""
        return "failure" in self.stored


def inputs(run: EvaluationRunSpec, evaluation: Evaluation) -> str:
    """Stands for what determines the scores on the run's side: another digest, another evaluation.

    Defaults are left out, for a later version has more of them.
    """
    asked = evaluation.model_dump(exclude={"resources"}, exclude_defaults=True)
    chain = [] if run.adapter is None else [run.adapter]
    return digest([asked, run.target.model_dump(exclude_defaults=True), *chain])


def attempt(run: EvaluationRunSpec, evaluation: Evaluation) -> str:
    """Stands for what else decides whether it comes to scores: another digest, another attempt."""
    resources = evaluation.resources.model_dump() if evaluation.resources else None
    kept = [run.artifacts.model_dump(exclude_defaults=True)] if run.artifacts else []
    return digest([resources, run.retry.model_dump(exclude_defaults=True), *kept])


def digests(run: EvaluationRunSpec, evaluation: Evaluation, stored: Manifest) -> Manifest:
    """What `stored` is kept with: scores stand, a failure may be mended by another attempt."""
    found = {"inputs": inputs(run, evaluation)}
    return found | ({"attempt": attempt(run, evaluation)} if "failure" in stored else {})


def stands(run: EvaluationRunSpec, evaluation: Evaluation, stored: Manifest) -> bool:
    """Whether `stored` is of what the spec asks; an earlier version kept no `attempt`."""
    wanted = digests(run, evaluation, stored)
    tried = wanted.get("attempt")
    return stored.get("inputs") == wanted["inputs"] and stored.get("attempt", tried) == tried


def evaluated(
    name: str, job: Manifest | None, pods: Sequence[Manifest], seen: Manifest | None, now: datetime
) -> Evaluated:
    """What the Job and its pods tell; `seen` is the adapter's progress, if it was asked."""
    stored: Manifest = {"name": name, "progress": progress(seen)}
    if job is None:
        return Evaluated(stored)
    stored["job"] = job["metadata"]["name"]
    if has_condition(job, "Complete"):
        return Evaluated(stored | scored(pods) | {"completionTime": timestamp(now)})
    found = failure(job, pods) if has_condition(job, "Failed") else refusal(pods)
    if found:
        why = {"reason": str(found.reason), "message": found.message}
        # The operator looks now and then; the pod has the last word.
        stored["progress"]["done"] = max(stored["progress"]["done"], found.requests or 0)
        return Evaluated(stored | {"failure": why, "completionTime": timestamp(now)})
    return Evaluated(stored)


def progress(seen: Manifest | None) -> Manifest:
    """`Progress` from the adapter's answer, of which nothing is trusted."""
    known = {key: seen[key] for key in ("done", "total") if key in seen} if seen else {}
    try:
        found = Progress.model_validate(known, strict=True)
    except ValidationError:
        found = Progress()
    return found.model_dump(exclude_none=True)


def further(seen: Manifest | None, before: Manifest | None) -> Manifest:
    """Whichever counts more answers: a pod that replaces another begins with those it has kept."""
    return max(progress(seen), progress(before), key=lambda count: int(count["done"]))


def together(seen: Sequence[Manifest]) -> Manifest:
    """The progress of several pods as one."""
    counts = [progress(one) for one in seen]
    totals = [count["total"] for count in counts if "total" in count]
    done = {"done": sum(count["done"] for count in counts)}
    return done | ({"total": sum(totals)} if len(totals) == len(counts) else {})


def asked_share(pod: Manifest) -> Manifest | None:
    """The progress of a pod that has asked its share of the questions, and is heard no more."""
    result = result_of(pod) if INDEX_ANNOTATION in pod["metadata"].get("annotations", {}) else None
    return {"done": result.requests, "total": result.requests} if result else None


def has_ended(job: Manifest) -> bool:
    """Whether the Job completed or failed."""
    return has_condition(job, "Complete") or has_condition(job, "Failed")


def has_condition(job: Manifest, kind: str) -> bool:
    """Whether the Job's condition `kind` is True."""
    conditions = job.get("status", {}).get("conditions", [])
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


def scored(pods: Sequence[Manifest]) -> Manifest:
    """The scores of the pod that succeeded, or why there are none."""
    result = next(filter(None, map(result_of, newest_first(pods))), None)
    if result is None:
        return unscored(GONE if not pods else "The Job completed, but no pod of it left a result")
    if not result.results:
        return unscored("The harness evaluated no sample")
    kept = result.results[:RECORDS]
    found: Manifest = {"results": [r.model_dump(by_alias=True, exclude_none=True) for r in kept]}
    if result.truncated or len(kept) < len(result.results):
        found["truncated"] = True
    if result.unscored:
        found["unscored"] = [unscored_part(part) for part in result.unscored[:PARTS]]
    if result.flagged != Flagged():
        found["flagged"] = result.flagged.model_dump(by_alias=True, exclude_defaults=True)
    if result.requests is not None:
        found["progress"] = {"done": result.requests, "total": result.requests}
    return found


def unscored_part(part: Unscored) -> Manifest:
    """A part without a score, as short as the status has it."""
    return {"task": part.task[:253], "why": part.why[:1024]}


def result_of(pod: Manifest) -> RunResult | None:
    """The result in the pod's termination message."""
    ended = terminated(pod, HARNESS)
    return parsed_result(ended.get("message", "")) if ended and ended["exitCode"] == 0 else None


def unscored(words: str) -> Manifest:
    """No score is better than a wrong one."""
    return {"failure": {"reason": str(Reason.UNSCORED), "message": words}}


def failure(job: Manifest, pods: Sequence[Manifest]) -> Trouble:
    """Why the Job failed: the newest pod's own words, else the Job's.

    What a pod says that was deleted under the Job counts only where no other says anything.
    """
    for pod in sorted(newest_first(pods), key=ending):
        ended = terminated(pod, HARNESS)
        if ended and ended["exitCode"]:
            found = from_termination(pod["metadata"]["name"], HARNESS, ended)
            crashed = found.reason == Reason.RUNTIME_CRASHED
            return Trouble(Reason.HARNESS_FAILED, found.message) if crashed else found
    words = [c.get("message", "") for c in job["status"]["conditions"] if c["type"] == "Failed"]
    return trouble(pods) or Trouble(Reason.HARNESS_FAILED, words[0] if words else "The Job failed")


def refusal(pods: Sequence[Manifest]) -> Trouble | None:
    """Why the adapter cannot work as it is configured.

    No Job fails by that: a sidecar that ends is started again, for ever.
    """
    for pod in newest_first(pods):
        ended = last_end(pod, ADAPTER)
        if ended and ended.get("exitCode") == EXIT_REJECTED and not ending(pod):
            return from_termination(pod["metadata"]["name"], ADAPTER, ended)
    return None


def is_running(pod: Manifest) -> bool:
    """Whether the pod runs and is not being deleted."""
    return phase(pod) == "Running" and not ending(pod)
