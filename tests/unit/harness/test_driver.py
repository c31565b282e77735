"""The driver around a harness of three lines, whose processes are plain Python."""

# ruff: noqa: ARG002  the protocol decides what a method is given

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from proctor_crds.packing import unpacked
from proctor_crds.results import Flagged, ResultRecord
from proctor_crds.wire import EXIT_REJECTED, Failure, HarnessParams, RunResult, RunSpec, Unscored
from proctor_harness import driver
from proctor_harness.adapter.probe import Probed
from proctor_harness.adapter.progress import Snapshot, Unanswered
from proctor_harness.adapter.target_page import TargetSeen
from proctor_harness.environment import Environment, parse
from proctor_harness.failures import RunError
from proctor_harness.harnesses.protocol import (
    PREFLIGHT_FILE,
    NoReportError,
    PreflightReport,
    Problem,
    Workspace,
)
from proctor_harness.items import Item

SPEC = '{"harness": "lm-eval", "tasks": ["t"], "model": "m"}'
SCORE = ResultRecord(task="t", metric="acc", value="0.5", n=2)


class Scripted:
    """A harness whose subprocesses run the given code."""

    def __init__(
        self,
        *code: str,
        preflight: str = "{}",
        results: list[ResultRecord] | None = None,
        unscored: str | None = None,
    ) -> None:
        self.code = code
        self.report = preflight
        self.results = results
        self.unscored = [Unscored(task=unscored, why="nothing ran")] if unscored else []

    def validate(self, run: RunSpec) -> list[Problem]:
        return [Problem("params.topP", "7", "choose less")] if "odd" in run.params.extra else []

    def preflight(self, run: RunSpec, workspace: Workspace) -> list[str] | PreflightReport:
        code = f"open({str(workspace.output_dir / 'preflight.json')!r}, 'w').write({self.report!r})"
        return [sys.executable, "-c", code]

    def commands(self, run: RunSpec, workspace: Workspace) -> list[list[str]]:
        return [[sys.executable, "-c", code] for code in self.code]

    def parse(self, run: RunSpec, output_dir: Path) -> RunResult:
        if self.results is None:
            raise NoReportError("nothing")
        return RunResult(results=self.results, unscored=self.unscored)

    def items(self, output_dir: Path) -> list[Item]:
        return []


@dataclass
class Adapter:
    """What stands for the adapter: the counts that it tells, one after the other."""

    url: str = "http://127.0.0.1:9/v1"  # discard: nothing answers there
    target: TargetSeen = field(default_factory=lambda: TargetSeen(status=404))
    probed: Probed = field(default_factory=lambda: Probed(status=200))
    told: list[Snapshot] = field(default_factory=lambda: [Snapshot(process="a", asked=4, done=4)])

    def next(self) -> Snapshot:
        return self.told.pop(0) if len(self.told) > 1 else self.told[0]


@pytest.fixture
def sidecar() -> Iterator[Adapter]:
    with answering() as adapter:
        yield adapter


@contextlib.contextmanager
def answering() -> Iterator[Adapter]:
    adapter = Adapter()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            said = adapter.target if self.path == "/target" else adapter.next()
            self.wfile.write(said.model_dump_json(by_alias=True).encode())

        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            if self.path == "/target":
                self.wfile.write(adapter.probed.model_dump_json(by_alias=True).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        adapter.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield adapter
        server.shutdown()


@pytest.fixture
def environment(tmp_path: Path, sidecar: Adapter) -> Environment:
    environ = {
        "RUN_SPEC": SPEC,
        "MOUNT_ARTIFACTS": str(tmp_path),
        "BASE_URL": sidecar.url,
        "HOME": str(tmp_path / "home"),
    }
    return parse(environ)


def failure(environment: Environment, harness: Scripted) -> tuple[str, str]:
    with pytest.raises(RunError) as caught:
        driver.evaluate(environment, harness)
    return caught.value.failure.reason, caught.value.failure.message


def test_scores_come_back(environment: Environment) -> None:
    result = driver.evaluate(environment, Scripted(results=[SCORE]))
    assert result.results == [SCORE]


def test_a_report_without_scores_is_a_failure(environment: Environment) -> None:
    assert failure(environment, Scripted(results=[]))[0] == "Unscored"


def test_an_asked_task_without_a_score_is_named(environment: Environment) -> None:
    found = failure(environment, Scripted(results=[SCORE], unscored="t"))
    assert found == ("Unscored", "no score of t: nothing ran")


def test_a_part_without_a_score_is_told_beside_the_others(environment: Environment) -> None:
    result = driver.evaluate(environment, Scripted(results=[SCORE], unscored="t.part"))
    assert [part.task for part in result.unscored] == ["t.part"]
    assert result.results == [SCORE]


def test_commands_run_in_order_until_one_fails(environment: Environment, tmp_path: Path) -> None:
    mark = f"open({str(tmp_path / 'order')!r}, 'a').write(%r)"
    steps = [mark % "1", mark % "2" + "; raise SystemExit(3)", mark % "3"]
    assert failure(environment, Scripted(*steps))[0] == "HarnessFailed"
    assert (tmp_path / "order").read_text() == "12"


def test_each_repeat_finds_what_the_look_ahead_leaves(
    environment: Environment, tmp_path: Path
) -> None:
    class Prepared(Scripted):
        def commands(self, run: RunSpec, workspace: Workspace) -> list[list[str]]:
            left = str(workspace.output_dir / PREFLIGHT_FILE)
            mark = str(tmp_path / "order")
            code = f"open({mark!r}, 'a').write(open({left!r}).read())"
            return [[sys.executable, "-c", code]]

    repeated = replace(environment, run=environment.run.model_copy(update={"repeats": 2}))
    result = driver.evaluate(repeated, Prepared(results=[SCORE]))
    assert [record.repeats for record in result.results] == [2]
    assert (tmp_path / "order").read_text() == "{}{}"


def test_no_report_is_a_failure(environment: Environment) -> None:
    assert failure(environment, Scripted()) == ("HarnessFailed", "nothing")


@pytest.mark.parametrize(
    "error",
    [
        KeyError("score"),
        ValueError("line 3"),
        TypeError("None"),
        yaml.YAMLError("no document"),
        sqlite3.OperationalError("no such table"),
        RuntimeError("generator raised StopIteration"),
    ],
)
def test_a_report_that_cannot_be_read_is_a_failure(
    error: Exception, environment: Environment
) -> None:
    class Odd(Scripted):
        def parse(self, run: RunSpec, output_dir: Path) -> RunResult:
            raise error

    found = failure(environment, Odd())
    assert found == (
        "HarnessFailed",
        f"the harness's report cannot be read: {type(error).__name__}: {error}",
    )


def test_a_preflight_failure_ends_the_run(environment: Environment) -> None:
    report = '{"failure": {"reason": "UnknownTask", "message": "no t"}}'
    assert failure(environment, Scripted(preflight=report)) == ("UnknownTask", "no t")


def test_all_that_is_wrong_is_told_at_once(environment: Environment, sidecar: Adapter) -> None:
    sidecar.target = TargetSeen(status=200, models=("a", "b"))
    sidecar.probed = Probed(status=404, words="no such model")
    params = HarnessParams(max_new_tokens=64)
    run = environment.run.model_copy(update={"context_length": 32, "params": params})
    report = '{"failure": {"reason": "UnknownTask", "message": "no t"}}'
    reason, message = failure(replace(environment, run=run), Scripted(preflight=report))
    assert reason == "PreflightFailed"
    assert "params.maxNewTokens=64 leaves no room" in message
    assert "serves no model 'm': choose one of a, b" in message
    assert "no t" in message


def test_wrong_parameters_are_told_with_what_the_target_lacks(
    environment: Environment, sidecar: Adapter
) -> None:
    run = environment.run.model_copy(update={"params": HarnessParams(extra={"odd": "1"})})
    odd = replace(environment, run=run)
    assert failure(odd, Scripted())[0] == "ParameterInvalid"
    sidecar.target = TargetSeen(status=401, keyed=True)
    reason, message = failure(odd, Scripted())
    assert reason == "PreflightFailed"
    assert "params.topP='7': choose less" in message
    assert "refuses the key (HTTP 401)" in message


def absent(environment: Environment) -> Environment:
    workspace = replace(environment.workspace, base_url=Adapter().url)
    return replace(environment, workspace=workspace)


def test_without_an_adapter_nothing_is_asked(environment: Environment, tmp_path: Path) -> None:
    mark = f"open({str(tmp_path / 'order')!r}, 'a').write('1')"
    found = failure(absent(environment), Scripted(mark, results=[SCORE]))
    assert found == ("TargetUnreachable", "the adapter does not answer")
    assert not (tmp_path / "order").exists()


@pytest.mark.parametrize("code", ["pass", "raise SystemExit('gone')"], ids=["well", "badly"])
def test_of_an_adapter_that_was_started_anew_no_harness_is_believed(
    environment: Environment, sidecar: Adapter, code: str
) -> None:
    sidecar.told = [Snapshot(process="a"), Snapshot(process="b")]
    reason, message = failure(environment, Scripted(code, results=[SCORE]))
    assert reason == "TargetUnreachable"
    assert "started anew while the harness ran" in message


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("unavailable", "TargetUnreachable"),
        ("abandoned", "TargetUnreachable"),
        ("adapter", "InterceptorFailed"),
        ("rejected", "TargetRefused"),
        ("denied", "TargetRefused"),
    ],
)
def test_a_harness_that_ends_well_over_open_questions_is_not_scored(
    environment: Environment, sidecar: Adapter, kind: str, reason: str
) -> None:
    left = {"last_error": "why", "longest_abandoned_seconds": 0.5}
    sidecar.told = [Snapshot(), Snapshot(asked=9, unanswered=Unanswered(**{kind: 1}), **left)]
    found = failure(environment, Scripted("pass", results=[SCORE]))
    assert found[0] == reason
    assert ("after 0.5 s" if kind == "abandoned" else "why") in found[1]


def test_a_harness_that_asked_nothing_has_evaluated_nothing(
    environment: Environment, sidecar: Adapter
) -> None:
    sidecar.told = [Snapshot(process="a")]
    found = failure(environment, Scripted("pass", results=[SCORE]))
    assert found == ("Unscored", "the harness ended well, and asked the target nothing")


JUDGE_FAILS = {
    "away": (
        Snapshot(process="a", unanswered=Unanswered(unavailable=2), last_error="HTTP 500"),
        ("TargetUnreachable", "of the judge: 2 requests have no answer"),
    ),
    "refuses": (
        Snapshot(process="a", unanswered=Unanswered(rejected=3), last_error="HTTP 400"),
        ("TargetRefused", "the judge refused 3 requests; last: HTTP 400"),
    ),
    "anew": (Snapshot(process="b"), ("TargetUnreachable", "of the judge: the adapter was started")),
    "slow": (
        Snapshot(process="a", unanswered=Unanswered(abandoned=2), longest_abandoned_seconds=600),
        ("TargetUnreachable", "of the judge: the harness gave up 2 requests"),
    ),
}


@pytest.mark.parametrize(("seen", "told"), JUDGE_FAILS.values(), ids=JUDGE_FAILS)
def test_what_the_judge_left_open_is_not_scored(
    environment: Environment, seen: Snapshot, told: tuple[str, str]
) -> None:
    with answering() as judge:
        workspace = replace(environment.workspace, judge_url=judge.url)
        judged = replace(environment, workspace=workspace)
        result = driver.evaluate(judged, Scripted("pass", results=[SCORE]))
        assert result.requests == 4
        judge.told = [Snapshot(process="a"), seen]
        reason, message = failure(judged, Scripted("pass", results=[SCORE]))
    assert reason == told[0]
    assert message.startswith(told[1])
    assert "requestTimeoutSeconds" not in message  # which is of the target


def test_what_may_be_misjudged_is_told_with_the_scores(
    environment: Environment, sidecar: Adapter
) -> None:
    sidecar.told = [Snapshot(), Snapshot(asked=9, done=9, flagged=Flagged(truncated=2))]
    result = driver.evaluate(environment, Scripted("pass", results=[SCORE]))
    assert (result.requests, result.flagged) == (9, Flagged(truncated=2))


def test_what_an_earlier_attempt_left_is_gone(environment: Environment) -> None:
    old = environment.workspace.output_dir / "results_old.json"
    old.parent.mkdir()
    old.touch()
    driver.evaluate(environment, Scripted(results=[SCORE]))
    assert not old.exists()


def test_caches_lie_under_home(environment: Environment, tmp_path: Path) -> None:
    assert environment.child["HF_HOME"] == str(tmp_path / "home" / ".cache" / "huggingface")


def test_a_pod_of_many_containers_says_how_little_is_kept_of_the_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process goes on
    words = tmp_path / "words"
    environ = {"TERMINATION_MESSAGE_PATH": str(words), "RUN_SPEC": "{" + "x" * 4000}
    for told, limit in (({}, 4096), ({"TERMINATION_LIMIT": "300"}, 300)):
        assert driver.main(environ | told) == EXIT_REJECTED
        assert len(words.read_bytes()) <= limit
        failure = Failure.model_validate_json(unpacked(words.read_text()))
        assert failure.reason == "ParameterInvalid"


def test_the_pods_own_settings_win(tmp_path: Path) -> None:
    environ = {"RUN_SPEC": SPEC, "MOUNT_ARTIFACTS": "/a", "BASE_URL": "http://x", "HF_HOME": "/hf"}
    assert parse(environ).child["HF_HOME"] == "/hf"


def test_a_malformed_spec_names_its_field() -> None:
    environ = {"RUN_SPEC": '{"harness": "x", "tasks": "t", "model": "m"}'}
    with pytest.raises(RunError, match="tasks='t': "):
        parse(environ)


def test_sigterm_takes_the_harness_along(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = f"""
import signal, sys
from pathlib import Path
from proctor_harness import child, driver
child.GRACE_SECONDS = 60
from proctor_harness.child import run_child
signal.signal(signal.SIGTERM, driver._leave)
code = "import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
run_child([sys.executable, "-c", code], Path("."), {{}})
"""
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        while not (pid_file.exists() and pid_file.read_text()):
            time.sleep(0.02)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(50) == 143
    assert time.monotonic() - started < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
