"""The same checkpoint over several processes gives the same answers."""

from pathlib import Path

import pytest

from proctor_runtime.engine.megatron.parallelism import ONE_RANK, Parallelism
from proctor_runtime.engine.protocol import Completion, EngineInfo
from tests.runtime.batches import PROMPTS, SAMPLINGS, assert_close, generation, run, scoring
from tests.runtime.conftest import quiet

# Megatron-Core warns of its own internal calls.
pytestmark = pytest.mark.filterwarnings("ignore:.*tp_group is None:DeprecationWarning")

GENERATIONS = [
    generation(prompt, new=6, sampling=sampling, prompt_logprobs=True)
    for prompt, sampling in zip(PROMPTS, SAMPLINGS, strict=True)
]
SCORINGS = [scoring(prompt) for prompt in PROMPTS]


DENSE = {
    "TP2": Parallelism(tensor=2),
    "PP2": Parallelism(pipeline=2),
    "TP2×PP2": Parallelism(tensor=2, pipeline=2),
    "TP2 SP": Parallelism(tensor=2, sequence=True),
    "CP2": Parallelism(context=2),
}
OF_EXPERTS = {
    "TP2 EP2": Parallelism(tensor=2, expert=2),
    "TP2 ETP2": Parallelism(tensor=2, expert_tensor=2),
    "CP2 EP2": Parallelism(context=2, expert=2),
    "TP2×CP2 EP2 ETP2": Parallelism(tensor=2, context=2, expert=2, expert_tensor=2),
    "PP2×CP2": Parallelism(pipeline=2, context=2),
}


def answers(checkpoint: Path, split: Parallelism) -> tuple[EngineInfo, list[Completion]]:
    with quiet():
        from proctor_runtime.engine.megatron.engine import MegatronEngine
        from proctor_runtime.engine.megatron.source import ModelSource

        engine = MegatronEngine(ModelSource(checkpoint=checkpoint, parallelism=split))
        try:
            batches = (GENERATIONS, SCORINGS, GENERATIONS[:1])  # the last fills no two ranks
            return engine.info, [one for batch in batches for one in run(engine, batch)]
        finally:
            engine.close()


@pytest.fixture(scope="module")
def whole(checkpoint: Path) -> list[Completion]:
    return answers(checkpoint, ONE_RANK)[1]


@pytest.fixture(scope="module")
def whole_of_experts(checkpoint_of_experts: Path) -> list[Completion]:
    return answers(checkpoint_of_experts, ONE_RANK)[1]


@pytest.mark.parametrize("split", DENSE.values(), ids=DENSE.keys())
def test_a_split_model_gives_the_same_answers(
    whole: list[Completion], checkpoint: Path, split: Parallelism
) -> None:
    info, found = answers(checkpoint, split)
    assert info.sequence_parallel == split.sequence
    for one, other in zip(whole, found, strict=True):
        assert_close(one, other)


@pytest.mark.parametrize("split", OF_EXPERTS.values(), ids=OF_EXPERTS.keys())
def test_a_split_model_of_experts_gives_the_same_answers(
    whole_of_experts: list[Completion], checkpoint_of_experts: Path, split: Parallelism
) -> None:
    info, found = answers(checkpoint_of_experts, split)
    assert (info.context_parallel, info.expert_parallel) == (split.context, split.expert)
    assert info.sequence_parallel == (split.tensor > 1)
    for one, other in zip(whole_of_experts, found, strict=True):
        assert_close(one, other)
