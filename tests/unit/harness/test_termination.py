from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from proctor_crds.results import Flagged, ResultRecord
from proctor_crds.wire import TERMINATION_LIMIT, Failure, RunResult, Unscored
from proctor_harness import termination

records = st.builds(
    ResultRecord,
    task=st.text(max_size=253),
    metric=st.text(max_size=40),
    filter=st.sampled_from(["none", "strict-match"]),
    value=st.just("0.3333333333333333"),
    stderr=st.none() | st.just("0.012"),
    n=st.integers(0, 10**6),
    direction=st.sampled_from([None, "higher", "lower"]),
)
results = st.builds(RunResult, results=st.lists(records, max_size=60))


@given(result=results, limit=st.integers(64, TERMINATION_LIMIT))
def test_what_is_written_fits_and_is_the_longest_beginning(result: RunResult, limit: int) -> None:
    fitted = termination.fitted(result, limit)
    kept = len(fitted.results)
    assert len(termination.encode(fitted).encode()) <= limit
    assert fitted.results == result.results[:kept]
    assert fitted.truncated == (kept < len(result.results))
    if fitted.truncated:
        longer = RunResult(results=result.results[: kept + 1], truncated=True)
        whole = kept + 1 == len(result.results)
        size = len(termination.encode(result if whole else longer).encode())
        assert size > limit


def test_what_was_left_out_is_told_too_as_far_as_there_is_room() -> None:
    records = [ResultRecord(task=f"t{i}", metric="acc", value="0.5", n=1) for i in range(200)]
    parts = [Unscored(task=f"p{i}", why="w" * 90) for i in range(50)]
    whole = RunResult(results=records, unscored=parts, requests=9, flagged=Flagged(empty=2))
    fitted = termination.fitted(whole)
    assert (fitted.requests, fitted.flagged, fitted.truncated) == (9, Flagged(empty=2), True)
    assert 5 < len(fitted.unscored) < 20
    assert len(fitted.results) > 30
    assert len(termination.encode(fitted).encode()) <= TERMINATION_LIMIT


@given(result=results)
def test_it_reads_back_equal(result: RunResult) -> None:
    assert RunResult.model_validate_json(termination.encode(result)) == result


def test_a_failure_is_written_whole(tmp_path: Path) -> None:
    failure = Failure(reason="UnknownTask", message="no task ü")
    termination.write(tmp_path / "log", failure)
    assert Failure.model_validate_json((tmp_path / "log").read_text()) == failure
