import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from proctor_runtime.engine.batcher import Batcher, launch
from proctor_runtime.engine.fake import CAPACITY, FakeEngine
from proctor_runtime.engine.protocol import (
    EngineDeadError,
    EngineStats,
    GenerateRequest,
    NotANumberError,
    QueueFullError,
    RequestTooLargeError,
    Sampling,
    ScoredToken,
    ScoredTokens,
    TokenEvent,
)
from proctor_runtime.engine.scheduling.step import RowResult, Step
from proctor_runtime.engine.stops import found_stop


def request(length: int = 4, new: int = 3, **fields: Any) -> GenerateRequest:
    return GenerateRequest(prompt=tuple(range(1, length + 1)), max_new_tokens=new, **fields)


def scoring(length: int = 4) -> GenerateRequest:
    return request(length, new=1, prompt_logprobs=True, top_logprobs=1)


END = 0
"""A special token, which says ``<end>``."""


def text_of(tokens: Sequence[int], *, skip_special_tokens: bool = True) -> str:
    end = "" if skip_special_tokens else "<end>"
    return "".join(end if token == END else chr(token) for token in tokens)


def text_of_bytes(tokens: Sequence[int]) -> str:
    return bytes(tokens).decode(errors="replace")


def running(engine: FakeEngine | None = None, **options: Any) -> Batcher:
    batcher = Batcher(engine or FakeEngine(), decode=text_of, **options)
    batcher.start()
    return batcher


def test_concurrent_requests_share_a_batch() -> None:
    engine = FakeEngine(step_seconds=0.05)
    batcher = running(engine)
    first = batcher.submit(request())
    others = [batcher.submit(request()) for _ in range(10)]
    for future in (first, *others):
        assert [t.token for t in future.result(5).tokens] == [5, 6, 7]
    assert 10 in engine.batch_sizes or 11 in engine.batch_sizes
    batcher.close()


def test_mixed_parameters_in_one_batch_keep_their_own() -> None:
    engine = FakeEngine(step_seconds=0.02)
    batcher = running(engine)
    batcher.submit(request())
    short = batcher.submit(request(new=1))
    long = batcher.submit(request(new=9))
    stopped = batcher.submit(request(new=9, stop_ids=(6,)))
    assert len(short.result(5).tokens) == 1
    assert len(long.result(5).tokens) == 9
    assert [t.token for t in stopped.result(5).tokens] == [5, 6]
    assert stopped.result().finish == "stop"
    batcher.close()


def test_a_seeded_request_gets_the_same_tokens_alone_and_in_company() -> None:
    sampling = Sampling(temperature=1.0, seed=7)
    batcher = running(FakeEngine(step_seconds=0.02))
    alone = batcher.submit(request(new=8, sampling=sampling)).result(5)
    crowd = [batcher.submit(request(new=8, sampling=sampling)) for _ in range(5)]
    assert all(future.result(5) == alone for future in crowd)
    batcher.close()


def test_unseeded_requests_differ_and_the_server_seed_repeats_them() -> None:
    def tokens() -> list[list[int]]:
        batcher = running(seed=3)
        futures = [
            batcher.submit(request(new=20, sampling=Sampling(temperature=1.0))) for _ in range(2)
        ]
        results = [[t.token for t in f.result(5).tokens] for f in futures]
        batcher.close()
        return results

    first = tokens()
    assert first[0] != first[1]
    assert tokens() == first


def test_a_stop_text_ends_a_request() -> None:
    batcher = running()
    start = ord("a") - 1
    stopping = GenerateRequest(prompt=(start,), max_new_tokens=50, stop_texts=("de",))
    completion = batcher.submit(stopping).result(5)
    assert text_of([t.token for t in completion.tokens]) == "abcde"
    assert completion.finish == "stop"
    batcher.close()


def test_found_stop_looks_at_the_newest_tokens_only() -> None:
    decoded: list[int] = []

    def decode(tokens: Sequence[int]) -> str:
        decoded.append(len(tokens))
        return text_of(tokens)

    assert not found_stop([ord("x")] * 500, ("yz",), decode)
    assert decoded == [4 * 2 + 16]


@pytest.mark.parametrize(
    ("text", "stop"),
    [("né", "é"), ("n€", "€"), ("n😀", "n😀"), ("\N{REPLACEMENT CHARACTER}é", "é"), ("é.", ".")],
    ids=["two bytes", "three bytes", "with more", "after what is none", "after one"],
)
def test_a_stop_ends_with_the_last_byte_of_its_last_character(text: str, stop: str) -> None:
    tokens = list(text.encode())
    found = [found_stop(tokens[:end], (stop,), text_of_bytes) for end in range(len(tokens) + 1)]
    assert found == [None] * len(tokens) + [stop]


def text_of_runs(tokens: Sequence[int]) -> str:
    """As decoders with byte fallback read a run of bytes: all of it, or none."""
    try:
        return bytes(tokens).decode()
    except UnicodeDecodeError:
        return "\N{REPLACEMENT CHARACTER}" * len(tokens)


@pytest.mark.parametrize("text", ["a" + "👍" * 7 + "\n\n", "ไทยครับ" * 4 + "\n\n"])
def test_a_window_that_begins_within_a_character_is_read(text: str) -> None:
    tokens = list(text.encode())
    assert found_stop(tokens, ("\n\n",), text_of_runs) == "\n\n"
    assert found_stop(tokens[:-1], ("\n\n",), text_of_runs) is None


@pytest.mark.parametrize(
    ("context", "stop", "found"),
    [("a", " b", " b"), ("", " b", None), ("a", "a b", None), ("a", "b", "b")],
    ids=["space", "new text", "astride", "no space"],
)
def test_a_stop_may_begin_with_the_space_that_follows_the_prompt(
    context: str, stop: str, found: str | None
) -> None:
    def decode(tokens: Sequence[int]) -> str:
        return text_of(tokens).removeprefix(" ")  # as SentencePiece's decoders do

    tokens, ahead = list(map(ord, " b")), list(map(ord, context))
    assert found_stop(tokens[:1], (stop,), decode, ahead) is None
    assert found_stop(tokens, (stop,), decode, ahead) == found


@pytest.mark.parametrize(("skip", "made"), [(True, 9), (False, 3)], ids=["skipped", "kept"])
def test_a_special_token_is_a_stop_where_the_text_has_it(skip: bool, made: int) -> None:
    batcher = running()
    asked = GenerateRequest(
        prompt=(253,), max_new_tokens=9, stop_texts=("<end>",), skip_special_tokens=skip
    )
    assert len(batcher.submit(asked).result(5).tokens) == made
    batcher.close()


class NumberlessEngine(FakeEngine):
    """Whatever comes after token 50 has a probability that is no number."""

    def logprob(self, previous: int, token: int) -> float:
        return math.nan if previous == 50 else super().logprob(previous, token)


@pytest.mark.parametrize(
    "asked",
    [
        GenerateRequest(prompt=(48,), max_new_tokens=9),
        GenerateRequest(prompt=(49, 50, 9), max_new_tokens=1, prompt_logprobs=True),
        GenerateRequest(prompt=(49, 50, 9), max_new_tokens=0, prompt_logprobs=True),
    ],
    ids=["a token", "a prompt", "a prompt alone"],
)
def test_who_is_computed_no_numbers_is_told_so_and_nobody_else(asked: GenerateRequest) -> None:
    batcher = running(NumberlessEngine(step_seconds=0.01))
    told: list[TokenEvent] = []
    good = batcher.submit(request(new=9))
    bad = batcher.submit(asked, told.append)
    with pytest.raises(NotANumberError, match="are not numbers"):
        bad.result(5)
    assert [event.token.token for event in told if event.token] in ([49, 50], [])
    assert len(good.result(5).tokens) == 9
    batcher.close()
    assert batcher.stats().running == 0


class BrokenEngine(FakeEngine):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error: Exception | None = error

    def execute(self, step: Step) -> list[RowResult]:
        if self.error:
            raise self.error
        return super().execute(step)


def test_a_step_that_takes_long_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    class Looking(FakeEngine):
        def execute(self, step: Step) -> list[RowResult]:
            time.sleep(0.02)
            seen.append(time.monotonic() - batcher.last_token())
            return super().execute(step)

    batcher = running(Looking())
    batcher.submit(request(new=3)).result(10)
    monkeypatch.setattr("proctor_runtime.engine.batcher.LONG_STEP_SECONDS", 0.01)
    batcher.submit(request(new=2)).result(10)
    batcher.close()
    # Before the first nothing has been made; of the last two each takes too long.
    assert seen[0] == float("inf")
    assert max(seen[1:3]) < 0.01
    assert min(seen[3:]) >= 0.02


def test_a_failed_batch_fails_its_requests_and_the_next_is_served() -> None:
    engine = BrokenEngine(RuntimeError("bad batch"))
    batcher = running(engine)
    with pytest.raises(RuntimeError, match="bad batch"):
        batcher.submit(request()).result(5)
    engine.error = None
    assert batcher.submit(request()).result(5).finish == "length"
    batcher.close()


def test_a_dead_engine_fails_everybody_and_is_reported_once() -> None:
    deaths: list[Exception] = []
    died = threading.Event()

    def on_death(error: Exception) -> None:
        deaths.append(error)
        died.set()

    batcher = running(BrokenEngine(EngineDeadError("rank 1 died")), on_death=on_death)
    with pytest.raises(EngineDeadError, match="rank 1 died"):
        batcher.submit(request()).result(5)
    assert died.wait(5)
    with pytest.raises(EngineDeadError, match="rank 1 died"):
        batcher.submit(request())
    assert len(deaths) == 1
    batcher.close()


def test_closing_drains_the_queue_and_refuses_more() -> None:
    batcher = running(FakeEngine(step_seconds=0.02))
    futures = [batcher.submit(request()) for _ in range(3)]
    batcher.close()
    assert all(future.done() for future in futures)
    with pytest.raises(EngineDeadError, match="shutting down"):
        batcher.submit(request())


def test_a_cancelled_request_is_dropped() -> None:
    engine = FakeEngine(step_seconds=0.05, capacity=replace(CAPACITY, sequences=1))
    batcher = running(engine)
    batcher.submit(request())
    cancelled = batcher.submit(scoring())
    assert cancelled.cancel()
    batcher.close()
    assert engine.batch_sizes == [1, 1, 1]


def test_what_a_request_wants_too_much_is_refused_at_once() -> None:
    batcher = Batcher(FakeEngine(), decode=text_of)
    with pytest.raises(RequestTooLargeError, match="16384"):
        batcher.submit(request(new=20_000))


def test_who_listens_badly_harms_nobody_else() -> None:
    batcher = running(FakeEngine(step_seconds=0.02))

    def raising(_: TokenEvent) -> None:
        raise ConnectionError("hung up")

    good = batcher.submit(request(new=5))
    bad = batcher.submit(request(new=5), raising)
    with pytest.raises(ConnectionError, match="hung up"):
        bad.result(5)
    assert len(good.result(5).tokens) == 5
    batcher.close()
    assert batcher.stats().running == 0


def test_every_token_is_told_as_it_is_made() -> None:
    batcher = running()
    events: list[TokenEvent] = []
    completion = batcher.submit(request(new=3), events.append).result(5)
    assert [event.token for event in events] == list(completion.tokens)
    assert [event.finish for event in events] == [None, None, "length"]
    batcher.close()


def test_a_running_request_can_be_cancelled() -> None:
    batcher = running(FakeEngine(step_seconds=0.01, max_sequence_length=10_000))
    begun = threading.Event()
    told = 0

    def on_event(_: TokenEvent) -> None:
        nonlocal told
        told += 1
        begun.set()

    future = batcher.submit(request(new=9_000), on_event)
    assert begun.wait(5)
    assert future.cancel()
    batcher.close()
    assert told < 1000


def test_a_full_queue_refuses() -> None:
    batcher = Batcher(FakeEngine(), decode=text_of, max_waiting=2)
    for _ in range(2):
        batcher.submit(request())
    with pytest.raises(QueueFullError, match="2 requests are waiting, and 2 may"):
        batcher.submit(request())
    assert batcher.stats().waiting == 2
    batcher.start()
    batcher.close()
    assert batcher.stats() == EngineStats(
        prompt_tokens=8, generation_tokens=6, prefix_cache_queries=8, prefix_cache_hits=3
    )


def test_a_completion_says_which_stop_it_met() -> None:
    batcher = running()
    start = ord("a") - 1
    by_text = GenerateRequest(prompt=(start,), max_new_tokens=50, stop_texts=("zz", "cd"))
    by_id = GenerateRequest(prompt=(start,), max_new_tokens=50, stop_ids=(ord("c"),))
    assert batcher.submit(by_text).result(5).stop == "cd"
    assert batcher.submit(by_id).result(5).stop == ord("c")
    batcher.close()


def test_nothing_stops_a_request_before_its_least_length() -> None:
    batcher = running()
    start = ord("a") - 1
    asked = GenerateRequest(
        prompt=(start,), max_new_tokens=9, min_new_tokens=4, stop_texts=("c",), stop_ids=(98,)
    )
    completion = batcher.submit(asked).result(5)
    assert text_of(completion.tokens.tokens) == "acdefghij"
    assert completion.finish == "length"
    batcher.close()


def test_columns_are_a_sequence_of_scored_tokens() -> None:
    rows = [ScoredToken(1, None), ScoredToken(2, -0.5, ((2, -0.5), (3, -1.0)))]
    columns = ScoredTokens.of(rows)
    assert list(columns) == rows
    assert list(columns[1:]) == rows[1:]
    assert columns.logprobs == (None, -0.5)


def test_a_start_is_heard_once_and_before_any_token() -> None:
    batcher = running()
    heard: list[str] = []
    submitted = batcher.submit(
        request(),
        on_event=lambda _: heard.append("token"),
        on_start=lambda: heard.append("start"),
    )
    submitted.result(5)
    assert heard == ["start", "token", "token", "token"]
    batcher.close()


class LateBatcher(Batcher):
    """One whose thread gets no processor for a while."""

    def run(self, on_begin: Callable[[], None] = lambda: None) -> None:
        time.sleep(0.2)
        super().run(on_begin)


def test_what_was_asked_before_the_thread_ran_is_finished_before_close_returns() -> None:
    batcher = launch(lambda: LateBatcher(FakeEngine(), decode=text_of))
    future = batcher.submit(request())
    batcher.close()
    assert future.done()
    assert future.result().finish == "length"
