"""Asking a share of a harness's questions, in each harness's way."""

from itertools import chain
from typing import Any

import pytest

from proctor_harness.harnesses import (
    bfcl_share,
    bigcode_guarded,
    garak_share,
    safety_share,
    simple_evals_share,
)
from proctor_harness.harnesses.shares import AskedError, Share

SHARES = [Share(shard, 3) for shard in range(3)]


@pytest.mark.parametrize("samples", [0, 1, 2, 7, 9])
def test_the_shares_are_the_whole(samples: int) -> None:
    asked = [share.of(range(samples)) for share in SHARES]
    assert sorted(chain(*asked)) == list(range(samples))
    assert [share.size(samples) for share in SHARES] == list(map(len, asked))


def test_a_question_that_is_asked_twice_is_one_pod_s() -> None:
    questions = "abacbdd"
    asked = [share.of_questions(range(7), questions) for share in SHARES]
    assert asked == [[0, 2, 5, 6], [1, 4], [3]]


def test_bfcl_asks_the_same_case_under_two_names_in_one_pod() -> None:
    texts = ["x", "y", "x", "z"]
    cases = [{"id": f"c_{n}", "question": text} for n, text in enumerate(texts)]
    collect = [bfcl_share.sharing(lambda *_: cases, share) for share in SHARES]
    found = [[case["id"] for case in each("arguments", "model")] for each in collect]
    assert found == [["c_0", "c_2"], ["c_1"], ["c_3"]]


async def test_simple_evals_keeps_its_samples_numbers_and_scores_nothing() -> None:
    async def ask_all(ask: Any, samples: list[str], num_threads: int) -> None:
        assert num_threads == 4
        told.append([await ask(sample, number) for number, sample in enumerate(samples)])

    async def ask(sample: str, number: int) -> str:
        return f"{sample}{number}"

    told: list[list[str]] = []
    for share in SHARES:
        with pytest.raises(AskedError):
            await simple_evals_share.sharing(ask_all, share, "-")(ask, list("abcd"), num_threads=4)
    assert told == [["a0", "-", "-", "d3"], ["-", "b1", "-", "-"], ["-", "-", "c2", "-"]]


@pytest.mark.parametrize("together", [1, 2, 5])
def test_the_safety_harness_groups_its_questions_as_when_it_asks_them_all(together: int) -> None:
    asked = [safety_share.rows(11, share, together) for share in SHARES]
    assert sorted(chain(*asked)) == list(range(11))
    groups = {tuple(range(n, min(n + together, 11))) for n in range(0, 11, together)}
    for rows in asked:
        starts = range(0, len(rows), together)
        assert {tuple(rows[n : n + together]) for n in starts} <= groups


def test_garak_asks_each_nth_prompt_and_has_nothing_to_judge() -> None:
    asked: list[str] = []
    ask = [garak_share.sharing(lambda _, own: asked.extend(own), share) for share in SHARES]
    assert [each(None, "abcdefg") for each in ask] == [[], [], []]
    assert "".join(asked) == "adgbecf"


def test_a_probe_that_leads_a_conversation_is_not_shared() -> None:
    class Probe:
        def probe(self) -> None:
            """Known prompts."""

    class Leading(Probe):
        def probe(self) -> None:
            """Prompts that follow from answers."""

    known, scanned = Probe(), []
    run = garak_share.foreseeing(lambda _, __, probes: scanned.append(probes), Probe)
    run(None, None, [known, Leading()])
    run(None, None, [Leading()])
    assert scanned == [[known]]


class Problems:
    """A task of bigcode's."""

    def get_dataset(self) -> list[str]:
        return list("abcdefgh")

    def postprocess_generation(self, answer: str, number: int) -> str:
        return answer + self.get_dataset()[number]


def test_bigcode_shares_what_its_limit_leaves() -> None:
    tasks = [bigcode_guarded.shared(Problems(), 5, share) for share in SHARES]
    assert ["".join(task.get_dataset()) for task in tasks] == ["ad", "be", "c"]
    assert tasks[2].postprocess_generation("answer", 4) == "answer"


def test_the_seeds_of_bigcode_s_answers_are_the_same_in_every_run() -> None:
    import random

    def seeds(_server: Any, prompts: list[str]) -> list[int]:
        return [random.randint(0, 2**32) for _ in prompts]

    def asked(seed: int, prompt: str) -> list[int]:
        return bigcode_guarded.seeded(seeds, seed)(None, [prompt] * 3)  # type: ignore[no-any-return]

    first = asked(1, "a")
    assert len(set(first)) == 3
    assert asked(2, "a") != first != asked(1, "b")
    assert asked(1, "a") == first
