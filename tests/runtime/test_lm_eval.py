"""Stock lm-eval against the served demo model: every answer is the one that it gets in process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import ARITHMETIC
from tests.runtime.lm_eval_modes import (
    CHAT_IN_PROCESS,
    CHATS,
    COMPLETIONS,
    DOCUMENTS,
    IN_PROCESS,
    Answers,
)
from tests.runtime.server_process import Server, serving

TOLERANCE = 1e-4
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    model = ARITHMETIC / "checkpoint", ARITHMETIC / "tokenizer"
    with serving(*model, home, "--transport=triton") as server:
        yield server


@pytest.fixture(scope="module")
def answers(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    scratch = tmp_path_factory.mktemp("lm-eval")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(scratch / "home"),
    }
    weights, output = scratch / "weights", scratch / "answers.json"
    command = [sys.executable, "-m", "tests.runtime.lm_eval_modes", server.url]
    ran = subprocess.run(
        [*command, str(weights), str(output)],
        env=environment,
        cwd=ARITHMETIC / "tasks",
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    answers: Answers = json.loads(output.read_text())
    return answers


def likelihoods(samples: list[Any]) -> list[float]:
    """Return the log-likelihoods of a task's answers."""
    return [value for sample in samples for ((value, _),) in sample]


def is_greedy(samples: list[Any]) -> list[bool]:
    return [flag for sample in samples for ((_, flag),) in sample]


@pytest.mark.parametrize("mode", COMPLETIONS)
def test_log_likelihoods_are_those_in_process(answers: Answers, mode: str) -> None:
    expected, got = answers[IN_PROCESS]["arithmetic_mc"], answers[mode]["arithmetic_mc"]
    assert len(got) == DOCUMENTS
    assert likelihoods(got) == pytest.approx(likelihoods(expected), abs=TOLERANCE)
    assert is_greedy(got) == is_greedy(expected)
    assert {True, False} == set(is_greedy(got))


@pytest.mark.parametrize("mode", COMPLETIONS)
def test_rolling_log_likelihoods_are_those_in_process(answers: Answers, mode: str) -> None:
    def rolling(samples: list[Any]) -> list[float]:
        return [value for ((value,),) in samples]

    expected, got = answers[IN_PROCESS]["arithmetic_ppl"], answers[mode]["arithmetic_ppl"]
    assert rolling(got) == pytest.approx(rolling(expected), abs=TOLERANCE)


@pytest.mark.parametrize("mode", COMPLETIONS)
def test_generated_texts_are_those_in_process(answers: Answers, mode: str) -> None:
    assert answers[mode]["arithmetic_gen"] == answers[IN_PROCESS]["arithmetic_gen"]


@pytest.mark.parametrize("mode", CHATS)
def test_chats_are_those_in_process(answers: Answers, mode: str) -> None:
    expected = answers[CHAT_IN_PROCESS]["arithmetic_gen"]
    assert answers[mode]["arithmetic_gen"] == expected
    assert len({text for sample in expected for text in sample[0]}) > DOCUMENTS / 2
