"""How fast the engine is with random weights, and that batches pay.

The figures are printed, not judged: what is good depends on the device. What must hold on any is
that many sequences at once are faster than one after the other, and reading than writing.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from proctor_runtime.engine.protocol import GenerateRequest
from tests.gpu.answers import Batch, Configuration, answers
from tests.gpu.conftest import parameters, require
from tests.gpu.random_model import random_model

SEQUENCES = 32
NEW_TOKENS = 64
LONG = 512


def generating(count: int) -> Batch:
    prompts = [tuple(range(start, start + 16)) for start in range(5, 5 + count)]
    return [GenerateRequest(prompt=prompt, max_new_tokens=NEW_TOKENS) for prompt in prompts]


def reading(count: int) -> Batch:
    prompt = tuple(5 + i % 150 for i in range(LONG))
    return [GenerateRequest(prompt=prompt, max_new_tokens=0, prompt_logprobs=True)] * count


def seconds_alone(configuration: Configuration, checkpoint: Path) -> float:
    """How long one sequence takes, the second time."""
    _, again = answers(configuration, checkpoint, [generating(1), generating(1)])
    return again.seconds


@pytest.mark.gpu
def test_a_sequence_alone_is_faster_with_cuda_graphs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replayed = Configuration("cuda", "bfloat16")
    require(replayed)
    random_model(tmp_path, "cuda")
    launched = replace(replayed, graphs=False)
    ratio = seconds_alone(launched, tmp_path) / seconds_alone(replayed, tmp_path)
    with capsys.disabled():
        print(f"\nCUDA graphs make a sequence alone {ratio:.2f} times as fast")
    assert ratio > 1


@pytest.mark.parametrize(
    "configuration", parameters(Configuration("cpu"), Configuration("cuda", "bfloat16"))
)
def test_a_batch_is_faster_than_its_sequences_one_by_one(
    configuration: Configuration, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require(configuration)
    random_model(tmp_path, configuration.device)
    warm_up = [generating(SEQUENCES), reading(SEQUENCES)]
    measured = [generating(1), generating(SEQUENCES), reading(SEQUENCES)]
    *_, one, many, read = answers(configuration, tmp_path, [*warm_up, *measured])
    alone = NEW_TOKENS / one.seconds
    together = SEQUENCES * NEW_TOKENS / many.seconds
    reads = SEQUENCES * LONG / read.seconds
    with capsys.disabled():
        print(f"\n{configuration}: alone a sequence gets {alone:.0f} tokens/s, ", end="")
        print(f"{SEQUENCES} get {together:.0f} together; prompts are read at {reads:.0f} tokens/s")
    assert together > 2 * alone
    assert reads > together
