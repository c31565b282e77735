"""What is captured as a CUDA graph, on a CPU: the same static steps, launched one kernel at a time.

That a graph replays what was captured, `tests/gpu` shows on a GPU.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from proctor_runtime.engine.protocol import Completion, GenerateRequest
from tests.runtime.batches import PROMPTS, SAMPLINGS, assert_close, generation, run, scoring
from tests.runtime.conftest import quiet

# Megatron-Core warns of its own internal calls.
pytestmark = pytest.mark.filterwarnings("ignore:.*tp_group is None:DeprecationWarning")

with quiet():
    from proctor_runtime.engine.megatron.executor import Executor
    from proctor_runtime.engine.megatron.graphs import MOST_SLOTS, Compute, Graphs, Shape
    from proctor_runtime.engine.megatron.packing import Packed, pack
    from proctor_runtime.engine.scheduling.step import Copy, Row, Step

ASKED = [
    *(
        generation(prompt, new=new, sampling=sampling, prompt_logprobs=True)
        for prompt, sampling, new in zip(PROMPTS, SAMPLINGS, (4, 7, 10, 13, 16), strict=True)
    ),
    *map(scoring, PROMPTS),
]


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> Iterator[Any]:
    with quiet():
        from proctor_runtime.engine.megatron.engine import MegatronEngine
        from proctor_runtime.engine.megatron.source import ModelSource

        engine = MegatronEngine(ModelSource(checkpoint=checkpoint))
        yield engine
        engine.close()


@pytest.fixture(scope="module")
def eager(engine: Any) -> list[Completion]:
    return run(engine, ASKED)


@dataclass
class Replayed:
    """An executor on the engine's model and store, with graphs that are captured like this."""

    engine: Any
    capture: Callable[[Compute], Compute]
    captures: int = 0
    replays: int = 0
    executor: Any = field(init=False)

    def __post_init__(self) -> None:
        forward, store = self.engine._executor.forward, self.engine._executor.store
        compute = partial(forward.whole, store=store)
        graphs = Graphs(compute, forward.layers[0].attention.scale, self._counting)
        self.executor = Executor(forward, store, graphs=graphs)
        self.capacity, self.execute = self.engine.capacity, self.executor.execute

    def _counting(self, compute: Compute) -> Compute:
        self.captures += 1
        replay = self.capture(compute)

        def counted() -> torch.Tensor:
            self.replays += 1
            return replay()

        return counted

    def run(self, asked: list[GenerateRequest]) -> list[Completion]:
        return run(self, asked)


def assert_same(found: list[Completion], expected: list[Completion]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)


def test_replayed_steps_give_the_same_answers(engine: Any, eager: list[Completion]) -> None:
    replayed = Replayed(engine, lambda compute: compute)
    assert_same(replayed.run(ASKED), eager)
    assert not replayed.executor.graphs.fault
    captures = replayed.captures
    assert replayed.replays > 2 * captures > 0
    assert_same(replayed.run(ASKED), eager)
    assert replayed.captures == captures, "what was captured is not used again"


def test_a_graph_that_cannot_be_captured_is_done_without(
    engine: Any, eager: list[Completion]
) -> None:
    def failing(_: Compute) -> Compute:
        raise RuntimeError("CUDA error: operation not permitted\nmore")

    replayed = Replayed(engine, failing)
    assert_same(replayed.run(ASKED), eager)
    fault = replayed.executor.graphs.fault
    assert fault == "a graph could not be captured: CUDA error: operation not permitted"


@pytest.mark.parametrize("wrong", [0.1, float("nan")], ids=str)
def test_a_graph_that_computes_something_else_is_done_without(
    engine: Any, eager: list[Completion], wrong: float
) -> None:
    replayed = Replayed(engine, lambda compute: lambda: compute() * (1 + wrong))
    assert_same(replayed.run(ASKED), eager)
    assert replayed.replays == 1
    assert replayed.executor.graphs.fault.startswith("a graph's result was off by ")


def test_a_graph_that_fails_later_ends_the_others_too(engine: Any, eager: list[Completion]) -> None:
    def second_fails(compute: Compute) -> Compute:
        if replayed.captures == 2:
            raise RuntimeError("out of memory")
        return compute

    replayed = Replayed(engine, second_fails)
    assert_same(replayed.run(ASKED), eager)
    assert replayed.executor.graphs.fault.endswith("out of memory")
    before = replayed.replays
    assert_same(replayed.run(ASKED), eager)
    assert replayed.replays == before


def step(*rows: Row, copies: tuple[Copy, ...] = ()) -> Packed:
    return pack(Step(rows=rows, copies=copies), torch.device("cpu"))


def next_token(position: int) -> Row:
    return Row(0, (7,), position, ((100, position + 1),), samples=True)


@pytest.mark.parametrize(
    ("packed", "shape"),
    [
        (step(next_token(0)), Shape(1, 128)),
        (step(*[next_token(127)] * 4), Shape(4, 128)),
        (step(*[next_token(128)] * 5), Shape(8, 256)),
        (step(next_token(0), copies=(Copy(1, 2, 3),)), None),
        (step(next_token(0), Row(1, (1, 2), 0, ((0, 2),))), None),
        (step(*[next_token(MOST_SLOTS // 2 - 1)] * 2), Shape(2, MOST_SLOTS // 2)),
        (step(*[next_token(MOST_SLOTS // 2)] * 2), None),
    ],
    ids=["one", "full", "padded", "copying", "a prompt", "largest", "too large"],
)
def test_only_steps_that_generate_have_a_shape(packed: Packed, shape: Shape | None) -> None:
    assert Shape.of(packed) == shape


def test_the_engine_says_that_a_cpu_has_no_graphs(engine: Any) -> None:
    for feature in (engine.info.cuda_graphs, engine.info.flash_decode):
        assert not feature.on
        assert feature.reason.startswith("no CUDA device")
