"""How a run fails: with a reason, an exit code, and words that name the cause."""

import re

from proctor_crds.reasons import Reason
from proctor_crds.wire import EXIT_REJECTED, EXIT_RETRYABLE, Failure, RunResult
from proctor_harness.adapter.progress import Snapshot

EXIT_FAILED = 1
MESSAGE_BYTES = 3072
EXCERPT_CHARACTERS = 1000
EXIT_CODES: dict[str, int] = {
    Reason.UNKNOWN_TASK: EXIT_REJECTED,
    Reason.PARAMETER_INVALID: EXIT_REJECTED,
    Reason.PREFLIGHT_FAILED: EXIT_REJECTED,
    Reason.SOURCE_UNREACHABLE: EXIT_RETRYABLE,
    Reason.TARGET_UNREACHABLE: EXIT_RETRYABLE,
    Reason.TARGET_REFUSED: EXIT_REJECTED,
    Reason.ARTIFACTS_REFUSED: EXIT_REJECTED,
    Reason.ARTIFACTS_UNREACHABLE: EXIT_RETRYABLE,
    Reason.INTERCEPTOR_FAILED: EXIT_FAILED,
    Reason.HARNESS_FAILED: EXIT_FAILED,
    # The harness ended well: asked again, it would evaluate nothing again.
    Reason.UNSCORED: EXIT_REJECTED,
}
WAIT_LONGER = "raise params.requestTimeoutSeconds, or lower parallelism"
ASK_THE_JUDGE_LESS = (
    "ask less at a time (params.extra.judgeParallelism, of a container judge.parallelism), or give"
    " the ModelDeployment of judgeRef more replicas"
)
"""How long an answer of the judge is waited for, no parameter of all harnesses says."""
PROGRESS_BAR = re.compile(r"\d+%\|")


class RunError(Exception):
    """The run ends here."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(reason=reason, message=_clip(message))

    @property
    def exit_code(self) -> int:
        """What tells the operator whether a retry can help."""
        return EXIT_CODES.get(self.failure.reason, EXIT_FAILED)


def diagnose(
    exit_code: int, output: str, evidence: Snapshot | None, timeout_seconds: float
) -> RunError:
    """Say why a harness failed, by what the adapter saw rather than by what the harness printed."""
    said = f"the harness ended with {_exit(exit_code)}: {last_words(output)}"
    if evidence is None:
        return RunError(Reason.TARGET_UNREACHABLE, f"the adapter does not answer; {said}")
    # Clients give up a little early or late; a crash drops requests long before.
    if trouble := unreachable(evidence) or late(evidence, 0.9 * timeout_seconds):
        return trouble
    if evidence.unanswered.rejected or evidence.unanswered.denied:
        said = f"the target rejected a request ({evidence.last_error}); {said}"
    return RunError(Reason.HARNESS_FAILED, said)


def unreachable(evidence: Snapshot) -> RunError | None:
    """Find questions that a failure left open: no score may stand on them."""
    if count := evidence.unanswered.adapter:
        message = f"the adapter failed {count} requests; last: {evidence.last_error}"
        return RunError(Reason.INTERCEPTOR_FAILED, message)
    if count := evidence.unanswered.unavailable:
        message = f"{count} requests have no answer after all retries; last: {evidence.last_error}"
        return RunError(Reason.TARGET_UNREACHABLE, message)
    return None


def late(
    evidence: Snapshot, patience_seconds: float = 0.0, remedy: str = WAIT_LONGER
) -> RunError | None:
    """Find questions that the harness gave up for good, one of them after that time."""
    count, longest = evidence.unanswered.abandoned, evidence.longest_abandoned_seconds
    if not count or longest < patience_seconds:
        return None
    message = (
        f"the harness gave up {count} requests, the longest after {longest:.3g} s, and has no"
        f" answer to them: {remedy}"
    )
    return RunError(Reason.TARGET_UNREACHABLE, message)


def silent() -> RunError:
    """Nobody tells what became of the requests: a harness may have made up answers."""
    return RunError(Reason.TARGET_UNREACHABLE, "the adapter does not answer")


def forgotten(before: Snapshot, evidence: Snapshot) -> RunError | None:
    """Find that the adapter does not know what became of all requests.

    Tried again this costs little, for what was answered is stored.
    """
    if evidence.process == before.process:
        return None
    message = "the adapter was started anew while the harness ran: what it missed is unknown"
    return RunError(Reason.TARGET_UNREACHABLE, message)


def unasked(evidence: Snapshot) -> RunError | None:
    """Find that the model was asked nothing: whatever was scored, it was not that."""
    if evidence.asked:
        return None
    return RunError(Reason.UNSCORED, "the harness ended well, and asked the target nothing")


def refused(evidence: Snapshot, result: RunResult) -> RunError | None:
    """Find questions that the target refused and of which the scores do not tell.

    A harness may count what is wrong with a question, but not that nobody was let in.
    """
    if count := evidence.unanswered.denied:
        said = f"the target turned {count} requests away, whatever they ask"
        message = f"{said}; last: {evidence.last_error}"
        return RunError(Reason.TARGET_REFUSED, message)
    count = evidence.unanswered.rejected
    if count <= sum(record.errors or 0 for record in result.results):
        return None
    message = (
        f"the target refused {count} questions, and the harness took them for answered wrong;"
        f" last: {evidence.last_error}"
    )
    return RunError(Reason.TARGET_REFUSED, message)


def unjudged(evidence: Snapshot) -> RunError | None:
    """Find answers that the judge refused to judge: no score tells of them."""
    count = evidence.unanswered.rejected + evidence.unanswered.denied
    if not count:
        return None
    message = f"the judge refused {count} requests; last: {evidence.last_error}"
    return RunError(Reason.TARGET_REFUSED, message)


def of_judge(error: RunError) -> RunError:
    """The same failure, of the judge's adapter instead of the target's."""
    return RunError(error.failure.reason, f"of the judge: {error.failure.message}")


def last_words(output: str) -> str:
    """What a person would quote of a process's output: its exception, else its last line."""
    lines = [line.rstrip() for line in re.split(r"[\r\n]", output)]
    lines = [line for line in lines if line.strip() and not PROGRESS_BAR.search(line)]
    if not lines:
        return "it printed nothing"
    traceback = max((i for i, line in enumerate(lines) if line.startswith("Traceback")), default=-1)
    raised = [i for i in range(traceback + 1, len(lines)) if not lines[i].startswith(" ")]
    quoted = lines[raised[0] :] if traceback >= 0 and raised else lines[-1:]
    return "\n".join(quoted)[:EXCERPT_CHARACTERS]


def _exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _clip(message: str) -> str:
    return message.encode()[:MESSAGE_BYTES].decode(errors="ignore")
