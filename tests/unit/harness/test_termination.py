from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from proctor_crds.packing import LONGEST, PREFIX, unpacked
from proctor_crds.results import Flagged, ResultRecord
from proctor_crds.wire import TERMINATION_LIMIT, Failure, RunResult, Unscored
from proctor_harness import termination
from proctor_harness.harnesses.records import Samples, proportion

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
    assert len(termination.encode(fitted, limit).encode()) <= limit
    assert fitted.results == result.results[:kept]
    assert fitted.truncated == (kept < len(result.results))
    if fitted.truncated:
        longer = RunResult(results=result.results[: kept + 1], truncated=True)
        whole = kept + 1 == len(result.results)
        size = len(termination.encode(result if whole else longer, limit).encode())
        assert size > limit


def test_what_was_left_out_is_told_too_as_far_as_there_is_room() -> None:
    records = [proportion(f"t{i}", "acc", i / 997, Samples(997)) for i in range(200)]
    parts = [Unscored(task=f"{i**9}", why=f"{i**20}" * 2) for i in range(90)]
    whole = RunResult(results=records, unscored=parts, requests=9, flagged=Flagged(empty=2))
    fitted = termination.fitted(whole)
    assert (fitted.requests, fitted.flagged, fitted.truncated) == (9, Flagged(empty=2), True)
    assert 20 < len(fitted.unscored) < 40
    assert 40 < len(fitted.results) < 120
    assert len(termination.encode(fitted).encode()) <= TERMINATION_LIMIT


SUBJECTS = [f"mmlu_{'_'.join('abcdefgh'[i % 7 :])}_{i}" for i in range(62)]


def test_the_scores_of_mmlu_fit_as_its_harness_wrote_them() -> None:
    scores = [proportion(task, "acc", i / 997, Samples(997)) for i, task in enumerate(SUBJECTS)]
    whole = RunResult(results=scores, requests=14042)
    assert termination.fitted(whole) == whole
    written = termination.encode(whole)
    assert len(written) <= TERMINATION_LIMIT
    assert RunResult.model_validate_json(unpacked(written)) == whole


def test_a_few_scores_are_written_for_a_person_to_read() -> None:
    few = RunResult(results=[proportion("sums", "acc", 0.5, Samples(10))])
    assert RunResult.model_validate_json(termination.encode(few)) == few


def test_what_packs_well_is_not_too_long_for_a_status() -> None:
    record = ResultRecord(task="t" * 200, metric="acc", value="0", n=1)
    fitted = termination.fitted(RunResult(results=[record] * 200))
    assert fitted.truncated
    assert termination.encode(fitted).startswith(PREFIX)
    assert LONGEST - 300 < len(fitted.model_dump_json(exclude_defaults=True)) <= LONGEST


@given(result=results)
def test_it_reads_back_equal(result: RunResult) -> None:
    fitted = termination.fitted(result)
    assert RunResult.model_validate_json(unpacked(termination.encode(fitted))) == fitted


def test_a_failure_is_written_whole(tmp_path: Path) -> None:
    failure = Failure(reason="UnknownTask", message="no task ü")
    termination.write(tmp_path / "log", failure)
    assert Failure.model_validate_json((tmp_path / "log").read_text()) == failure


@given(message=st.text(max_size=3000), limit=st.integers(200, TERMINATION_LIMIT))
def test_a_failure_fits_and_keeps_its_reason(message: str, limit: int) -> None:
    failure = Failure(reason="PreflightFailed", message=message)
    kept = termination.clipped(failure, limit)
    assert len(termination.encode(kept, limit).encode()) <= limit
    assert message.startswith(kept.message)
    assert kept.reason == failure.reason
