"""The harness container: validate, look ahead, run the harness, and report."""

import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeVar

from proctor_crds.reasons import Reason
from proctor_crds.wire import Failure, RunResult, termination_limit
from proctor_harness import sidecar, storing, termination
from proctor_harness.adapter.progress import Snapshot
from proctor_harness.capabilities import findings, wanted
from proctor_harness.child import Ended, run_child
from proctor_harness.environment import Environment, parse
from proctor_harness.failures import (
    ASK_THE_JUDGE_LESS,
    WAIT_LONGER,
    RunError,
    diagnose,
    forgotten,
    late,
    of_judge,
    refused,
    silent,
    unasked,
    unjudged,
    unreachable,
)
from proctor_harness.harnesses import HARNESSES
from proctor_harness.harnesses.protocol import (
    PREFLIGHT_FILE,
    Harness,
    NoReportError,
    PreflightReport,
)
from proctor_harness.items import ITEMS_FILE, Item
from proctor_harness.items import write as write_items
from proctor_harness.repeats import merged

RESULTS_FILE = "results.json"
T = TypeVar("T")


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run the evaluation; the exit code says whether a retry can help."""
    signal.signal(signal.SIGTERM, _leave)
    message_path, limit = Path(environ["TERMINATION_MESSAGE_PATH"]), termination_limit(environ)
    try:
        environment = parse(environ)
        result = evaluate(environment, find_harness(environment.run.harness))
        _keep(environment, result)
    except RunError as error:
        seen = sidecar.snapshot(environ.get("BASE_URL", ""))
        answered = {"requests": seen.done if seen else None}
        failure = error.failure.model_copy(update=answered)
        termination.write(message_path, termination.clipped(failure, limit), limit)
        return error.exit_code
    termination.write(message_path, termination.fitted(result, limit), limit)
    return 0


def _keep(environment: Environment, result: RunResult) -> None:
    """Write the scores beside the harness's files, and have all of it stored."""
    full = result.model_dump_json(by_alias=True, exclude_none=True, indent=2)
    results = environment.artifacts / RESULTS_FILE
    results.write_text(full + "\n", encoding="utf-8")
    if environment.store_url:
        workspace = environment.workspace
        adapters = [url for url in (workspace.base_url, workspace.judge_url) if url]
        storing.store(environment.store_url, adapters)


def find_harness(name: str) -> Harness:
    """Look the harness up."""
    if name not in HARNESSES:
        known = f"choose one of {', '.join(sorted(HARNESSES))}"
        raise RunError(Reason.PARAMETER_INVALID, f"harness={name!r}: {known}")
    return HARNESSES[name]


def evaluate(environment: Environment, harness: Harness) -> RunResult:
    """Take the run from its parameters to its scores."""
    _clear(environment.workspace.output_dir)
    _look_ahead(environment.at(0), harness)
    sharded = environment.run.shards > 1
    return (_asked_share if sharded else _scored)(environment, harness)


def _scored(environment: Environment, harness: Harness) -> RunResult:
    """Ask everything, as often as is wanted, and read the scores."""
    before = _witness(environment)
    asked = [
        _ask(environment.at(repeat), harness, before) for repeat in range(environment.run.repeats)
    ]
    seen = _settled(environment, before)
    items = [item for repeat in asked for item in repeat.items]
    write_items(environment.artifacts / ITEMS_FILE, items)
    result = merged([repeat.result for repeat in asked], items)
    if failure := unasked(seen) or refused(seen, result):
        raise failure
    # The operator looks now and then; the last word on progress is what the adapter counted.
    return result.model_copy(update={"requests": seen.done, "flagged": seen.flagged})


def _asked_share(environment: Environment, harness: Harness) -> RunResult:
    """Ask what falls to this pod, and leave the answers to the one that scores."""
    before = _witness(environment)
    for repeat in map(environment.at, range(environment.run.repeats)):
        for argv in harness.commands(repeat.run, repeat.workspace):
            _judge(repeat, before, _child(repeat, argv))
    seen = _settled(environment, before)
    return RunResult(results=[], requests=seen.done)


def _witness(environment: Environment) -> list[Snapshot]:
    """What the adapter has counted so far, and the judge's; without them no harness is believed."""
    workspace = environment.workspace
    return [_counted(url) for url in (workspace.base_url, workspace.judge_url) if url]


def _counted(base_url: str) -> Snapshot:
    found = sidecar.snapshot(base_url)
    if found is None:
        raise silent()
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """One repeat: its scores, and what became of each sample."""

    result: RunResult
    items: list[Item]


def _ask(environment: Environment, harness: Harness, before: Sequence[Snapshot]) -> Asked:
    run, workspace = environment.run, environment.workspace
    # A look ahead leaves what the commands and the scores need in the repeat's own directory.
    if run.repeat and (failure := _report(environment, harness).failure):
        raise _all([failure])
    for argv in harness.commands(run, workspace):
        _judge(environment, before, _child(environment, argv))
    result = _scores(environment, harness)
    items = _read(lambda: harness.items(workspace.output_dir))
    return Asked(result, [item.model_copy(update={"repeat": run.repeat}) for item in items])


def _clear(output_dir: Path) -> None:
    """Begin a retried run afresh: an old report must not pass for the new one."""
    shutil.rmtree(output_dir, ignore_errors=True)
    output_dir.mkdir(parents=True)


def _look_ahead(environment: Environment, harness: Harness) -> None:
    """Find all that is wrong before anything is asked; raises RunError with all of it."""
    run, workspace = environment.run, environment.workspace
    problems = harness.validate(run)
    seen = sidecar.target(workspace.base_url)
    report = PreflightReport() if problems else _report(environment, harness)
    asked = wanted(run, seen, report)
    found = findings(run, seen, asked, sidecar.probe(workspace.base_url, asked) if asked else None)
    failures = [
        *(Failure(reason=Reason.PARAMETER_INVALID, message=str(problem)) for problem in problems),
        *(Failure(reason=Reason.PREFLIGHT_FAILED, message=words) for words in found),
        *([report.failure] if report.failure else []),
    ]
    if failures:
        raise _all(failures)
    if report.total is not None:
        total = report.total * environment.run.repeats
        sidecar.announce(environment.workspace.base_url, total)


def _all(failures: Sequence[Failure]) -> RunError:
    reasons = {failure.reason for failure in failures}
    reason = reasons.pop() if len(reasons) == 1 else Reason.PREFLIGHT_FAILED
    return RunError(reason, "; ".join(failure.message for failure in failures))


def _report(environment: Environment, harness: Harness) -> PreflightReport:
    found = harness.preflight(environment.run, environment.workspace)
    return found if isinstance(found, PreflightReport) else _preflight(environment, found)


def _preflight(environment: Environment, argv: list[str]) -> PreflightReport:
    ended = _child(environment, argv)
    if ended.exit_code != 0:
        raise diagnose(ended.exit_code, ended.tail, Snapshot(), timeout_seconds=0)
    content = (environment.workspace.output_dir / PREFLIGHT_FILE).read_text(encoding="utf-8")
    return PreflightReport.model_validate_json(content)


def _judge(environment: Environment, before: Sequence[Snapshot], ended: Ended) -> None:
    if ended.exit_code == 0:
        _settled(environment, before)
        return
    evidence = sidecar.snapshot(environment.workspace.base_url)
    timeout = environment.run.params.request_timeout_seconds
    lost = evidence and forgotten(before[0], evidence)
    raise lost or diagnose(ended.exit_code, ended.tail, evidence, timeout)


def _settled(environment: Environment, before: Sequence[Snapshot]) -> Snapshot:
    """What the adapter counted, if neither it nor the judge's leaves anything open.

    A harness that ends well although a question is open has made up an answer to it.
    """
    target, *judge = seen = _witness(environment)
    for was, now in zip(before, seen, strict=True):
        remedy = WAIT_LONGER if now is target else ASK_THE_JUDGE_LESS
        if failure := forgotten(was, now) or unreachable(now) or late(now, remedy=remedy):
            raise failure if now is target else of_judge(failure)
    if judge and (refusal := unjudged(judge[0])):
        raise refusal
    return target


def _scores(environment: Environment, harness: Harness) -> RunResult:
    result = _read(lambda: harness.parse(environment.run, environment.workspace.output_dir))
    asked = [part for part in result.unscored if part.task in environment.run.tasks]
    if asked:
        words = "; ".join(f"{part.task}: {part.why}" for part in asked)
        raise RunError(Reason.UNSCORED, f"no score of {words}")
    if not result.results:
        raise RunError(Reason.UNSCORED, "the harness's report holds no score of any sample")
    return result


def _read(reading: Callable[[], T]) -> T:
    """Read what the harness left, which is whatever a package and a model made it."""
    try:
        return reading()
    except NoReportError as error:
        raise RunError(Reason.HARNESS_FAILED, str(error)) from error
    except Exception as error:
        words = f"the harness's report cannot be read: {type(error).__name__}: {error}"
        raise RunError(Reason.HARNESS_FAILED, words) from error


def _child(environment: Environment, argv: list[str]) -> Ended:
    workspace = environment.workspace
    return run_child(argv, workspace.datasets or workspace.output_dir, environment.child)


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    # 128 + SIGTERM; `run_child` takes the harness along on the way out.
    raise SystemExit(143)
