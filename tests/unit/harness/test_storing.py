"""Having the artifacts stored before the scores are told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from proctor_crds.wire import Failure
from proctor_harness import storing
from proctor_harness.failures import RunError

UNREACHABLE = Failure(reason="ArtifactsUnreachable", message="no way")
REFUSED = Failure(reason="ArtifactsRefused", message="no right")


@contextmanager
def answering(*failures: Failure) -> Iterator[tuple[str, list[str]]]:
    """What stands for adapter and keeper; each POST of `/` meets the next failure, then none."""
    left, paths = list(failures), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            paths.append(self.path)
            failure = left.pop(0) if left and self.path == "/" else None
            self.send_response(502 if failure else 200)
            self.end_headers()
            self.wfile.write(failure.model_dump_json().encode() if failure else b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", paths
        server.shutdown()


def test_reports_are_written_before_they_are_stored() -> None:
    with answering() as (url, paths):
        storing.store(url, [f"{url}/v1", f"{url}/v1"])
    assert paths == ["/adapterserver/run-post-hook"] * 2 + ["/"]


def test_a_bucket_that_is_away_for_a_while_costs_no_scores() -> None:
    waited: list[float] = []
    with answering(UNREACHABLE, UNREACHABLE) as (url, paths):
        storing.store(url, [], waited.append)
    assert paths == ["/"] * 3
    assert waited == [1, 2]


@pytest.mark.parametrize(
    ("failures", "reason", "code", "waits"),
    [
        ([UNREACHABLE] * 20, "ArtifactsUnreachable", 75, len(storing.PAUSES)),
        ([REFUSED], "ArtifactsRefused", 64, 0),
    ],
    ids=["away", "refuses"],
)
def test_without_stored_artifacts_there_is_no_score(
    failures: list[Failure], reason: str, code: int, waits: int
) -> None:
    waited: list[float] = []
    with answering(*failures) as (url, _), pytest.raises(RunError) as caught:
        storing.store(url, [], waited.append)
    assert (caught.value.failure.reason, caught.value.exit_code) == (reason, code)
    assert len(waited) == waits


def test_a_keeper_that_does_not_answer_is_no_success() -> None:
    failure = storing.attempt("http://127.0.0.1:9")
    assert failure
    assert failure.reason == "ArtifactsUnreachable"
