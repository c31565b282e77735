"""The shipped model, held against implementations that share no code with ours."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from demo import ARITHMETIC
from demo.data import held_out_problems
from demo.scores import differences

CHECKPOINT = ARITHMETIC / "checkpoint"
STORED = json.loads((ARITHMETIC / "reference.json").read_text())
SIZE_LIMIT = 5_000_000

# Megatron-Core and torch warn of their own missing extras and deprecations while they are
# imported, so the tests import them late, where these marks hold.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def megatron_model() -> Iterator[Any]:
    from demo.single_process import single_process
    from proctor_runtime.checkpoints import megatron
    from proctor_runtime.engine.megatron.model import build_model

    with single_process():
        model = build_model(megatron.read_args(CHECKPOINT), initialize=False)
        megatron.load(model, CHECKPOINT)
        yield model


@pytest.fixture(scope="module")
def hugging_face(megatron_model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from demo.to_hugging_face import write_hugging_face
    from proctor_runtime.checkpoints import megatron

    folder = tmp_path_factory.mktemp("hugging-face")
    arguments = megatron.read_args(CHECKPOINT)
    write_hugging_face(megatron_model, arguments, ARITHMETIC / "tokenizer", folder)
    return folder


@pytest.fixture(scope="module")
def llama(hugging_face: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(hugging_face, dtype=torch.float32).eval()


@pytest.mark.parametrize("length", [1, 7, 64, 300])
def test_both_implementations_give_the_same_logits(
    megatron_model: Any, llama: Any, length: int
) -> None:
    generator = torch.Generator().manual_seed(length)
    tokens = torch.randint(0, 260, (3, length), generator=generator)
    with torch.inference_mode():
        ours = megatron_model(tokens, torch.arange(length).expand_as(tokens), None)
        theirs = llama(tokens).logits
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_no_answer_hangs_on_a_rounding_error(hugging_face: Path, llama: Any) -> None:
    """Otherwise equal models could differ in exact_match by the order of their sums."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(hugging_face)
    margins = []
    for problem in held_out_problems(Random(1), 100):
        tokens = tokenizer(problem.text, return_tensors="pt").input_ids
        with torch.inference_mode():
            best = llama(tokens).logits[0, len(problem.question) - 1 :].topk(2).values
        margins.append((best[:, 0] - best[:, 1]).min().item())
    assert min(margins) > 1e-4


def test_the_stored_scores_are_lm_evals_own(hugging_face: Path, tmp_path: Path) -> None:
    from demo.reference import evaluate

    measured = evaluate(hugging_face, ARITHMETIC / "tasks", tmp_path)
    assert differences(measured, STORED, 1e-6) == []


def test_the_scores_show_something() -> None:
    """Far above chance, which is a quarter for choices and nothing for generation; below all."""
    assert 0.6 <= STORED["arithmetic_mc"]["acc,none"] <= 0.95
    assert 0.6 <= STORED["arithmetic_gen"]["exact_match,none"] <= 0.95
    assert 0 < STORED["arithmetic_ppl"]["bits_per_byte,none"] < 3


def test_the_model_is_small_enough_to_ship() -> None:
    files = [path for path in ARITHMETIC.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < SIZE_LIMIT


def test_training_is_a_command() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "demo.train", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "--seed" in help_text
