from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_harness.adapter.answers import Answers, gather, pairs
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.disk import Journal
from proctor_harness.adapter.messages import Origin, Response
from proctor_harness.adapter.turns import Slot, Turns

KEY, OTHER = b"k" * 16, b"o" * 16
HEADERS = ((b"content-type", b"application/json"), (b"x-note", "ü".encode("latin-1")))


def opened(path: Path, session: str = "pod-1") -> tuple[Answers, Journal, Turns]:
    journal, turns = Journal(path), Turns()
    return Answers(journal, session, turns), journal, turns


def answer(body: bytes) -> Response:
    return Response(200, HEADERS, Content(body))


def written(path: Path, *bodies: bytes, session: str = "pod-1") -> bytes:
    answers, journal, _ = opened(path, session)
    for turn, body in enumerate(bodies):
        answers.put(Slot(KEY, turn), answer(body), body, None)
    journal.flush()
    return path.read_bytes()


@pytest.mark.parametrize(
    "body", [b'{"a": "\xc3\xbc\\n"}', b"\xff\x00", b""], ids=["text", "bytes", "empty"]
)
def test_an_answer_comes_back_byte_for_byte(tmp_path: Path, body: bytes) -> None:
    written(tmp_path / "log", body)
    answers, _, _ = opened(tmp_path / "log")
    found = answers.get(Slot(KEY))
    assert found is not None
    assert isinstance(found.body, Content)
    assert (found.status, found.headers, found.body.raw) == (200, HEADERS, body)
    assert found.origin is Origin.CACHE


def test_an_answer_can_be_had_before_it_is_written(tmp_path: Path) -> None:
    answers, _, _ = opened(tmp_path / "log")
    answers.put(Slot(KEY), answer(b"1"), b"1", None)
    assert answers.get(Slot(KEY)) is not None
    assert answers.get(Slot(KEY, 1)) is None
    assert answers.get(Slot(OTHER)) is None


@given(cut=st.integers(min_value=0))
def test_whatever_a_kill_leaves_of_the_log_whole_answers_are_kept(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("answers") / "log"
    bodies = [b'{"n": %d}' % n for n in range(4)]
    content = written(path, *bodies)
    cut %= len(content) + 1
    path.write_bytes(content[:cut])
    whole = content[:cut].count(b"\n")

    answers, journal, _ = opened(path)
    assert [answers.get(Slot(KEY, n)) is not None for n in range(4)] == [
        n < whole for n in range(4)
    ]
    for turn in range(whole, 4):
        answers.put(Slot(KEY, turn), answer(bodies[turn]), bodies[turn], None)
    journal.flush()
    again, _, _ = opened(path)
    found = [again.get(Slot(KEY, n)) for n in range(4)]
    assert [r.body.raw for r in found if r and isinstance(r.body, Content)] == bodies


@pytest.mark.parametrize("damage", [b"\x00", b"}", b"\n"])
def test_a_damaged_answer_is_asked_again(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "log"
    content = written(path, b'{"n": 0}', b'{"n": 1}')
    at = content.index(b'"body"') + 10
    path.write_bytes(content[:at] + damage + content[at + 1 :])
    answers, _, _ = opened(path)
    assert answers.get(Slot(KEY, 0)) is None
    assert answers.get(Slot(KEY, 1)) is not None


def test_pages_that_never_reached_the_disk_cost_what_they_held(tmp_path: Path) -> None:
    path = tmp_path / "log"
    content = written(path, b"0", b"1", b"2")
    first, second, third = content.splitlines(keepends=True)
    path.write_bytes(first + bytes(len(second)) + third)
    answers, _, _ = opened(path)
    assert [answers.get(Slot(KEY, n)) is not None for n in range(3)] == [True, False, True]


def test_the_same_harness_does_not_get_an_answer_twice(tmp_path: Path) -> None:
    """The adapter alone was restarted: the harness beside it goes on and has its samples."""
    written(tmp_path / "log", b"0", b"1")
    _, _, turns = opened(tmp_path / "log", "pod-1")
    assert turns.take(KEY) == Slot(KEY, 2)


def test_another_start_of_the_harness_begins_anew(tmp_path: Path) -> None:
    written(tmp_path / "log", b"0", b"1")
    answers, journal, turns = opened(tmp_path / "log", "pod-2")
    slot = turns.take(KEY)
    assert slot == Slot(KEY, 0)
    answers.give(slot)
    journal.flush()
    _, _, restarted = opened(tmp_path / "log", "pod-2")
    assert restarted.take(KEY) == Slot(KEY, 1)


def test_pairs_are_answers_with_their_questions(tmp_path: Path) -> None:
    answers, journal, _ = opened(tmp_path / "log")
    answers.put(Slot(KEY), answer(b"4"), b"4", b"2+2")
    answers.put(Slot(OTHER), answer(b"5"), b"5", None)
    answers.give(Slot(KEY))
    journal.flush()
    assert [(pair.request, pair.body) for pair in pairs(tmp_path / "log")] == [("2+2", "4")]


def body(path: Path, turn: int) -> bytes | None:
    answers, _, _ = opened(path)
    found = answers.get(Slot(KEY, turn))
    assert found is None or isinstance(found.body, Content)
    return found.body.raw if found else None


def test_a_log_begins_with_what_others_hold_and_keeps_its_own(tmp_path: Path) -> None:
    own, one, other = (tmp_path / name / "answers.jsonl" for name in ("own", "0", "1"))
    written(own, b"mine")
    written(one, b"theirs", b"one")
    written(other, b"theirs", b"other", b"third")
    other.write_bytes(other.read_bytes()[:-1])  # as a kill leaves it
    for _ in range(2):
        gather(own, [one, other, tmp_path / "absent"])
        assert [body(own, turn) for turn in range(4)] == [b"mine", b"one", None, None]
    written(other, b"again")
    gather(own, [other])
    assert body(own, 2) == b"third"  # the line is whole by now


@given(cut=st.integers(min_value=0))
def test_a_gathering_that_was_killed_is_done_again(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("answers")
    own, other = folder / "own", folder / "other"
    written(other, b"1", b"2", b"3")
    gather(own, [other])
    whole = own.read_bytes()
    own.write_bytes(whole[: cut % (len(whole) + 1)])
    gather(own, [other])
    assert [body(own, turn) for turn in range(3)] == [b"1", b"2", b"3"]
