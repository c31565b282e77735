"""The same checkpoint over several processes gives the same answers."""

from pathlib import Path

import pytest

from proctor_runtime.engine.protocol import Completion
from tests.runtime.batches import PROMPTS, SAMPLINGS, assert_close, generation, run, scoring
from tests.runtime.conftest import quiet

# Megatron-Core warns of its own internal calls.
pytestmark = pytest.mark.filterwarnings("ignore:.*tp_group is None:DeprecationWarning")

GENERATIONS = [
    generation(prompt, new=6, sampling=sampling, prompt_logprobs=True)
    for prompt, sampling in zip(PROMPTS, SAMPLINGS, strict=True)
]
SCORINGS = [scoring(prompt) for prompt in PROMPTS]


def answers(checkpoint: Path, tensor: int, pipeline: int) -> list[Completion]:
    with quiet():
        from proctor_runtime.engine.megatron.engine import MegatronEngine
        from proctor_runtime.engine.megatron.source import ModelSource

        source = ModelSource(checkpoint=checkpoint, tensor=tensor, pipeline=pipeline)
        engine = MegatronEngine(source)
        try:
            return [*run(engine, GENERATIONS), *run(engine, SCORINGS)]
        finally:
            engine.close()


@pytest.fixture(scope="module")
def whole(checkpoint: Path) -> list[Completion]:
    return answers(checkpoint, 1, 1)


@pytest.mark.parametrize(
    ("tensor", "pipeline"), [(2, 1), (1, 2), (2, 2)], ids=["TP2", "PP2", "TP2×PP2"]
)
def test_a_split_model_gives_the_same_answers(
    whole: list[Completion], checkpoint: Path, tensor: int, pipeline: int
) -> None:
    for one, other in zip(whole, answers(checkpoint, tensor, pipeline), strict=True):
        assert_close(one, other)
