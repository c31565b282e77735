"""Where the engine's tests run: on the CPU always, on CUDA where there are devices enough.

The CPU's run proves the tests themselves; `make gpu` runs only what needs a device.
"""

import os
from collections.abc import Callable
from functools import cache

import pytest

from demo import ARITHMETIC
from proctor_runtime.engine.protocol import Completion
from tests.gpu import demo_tasks
from tests.gpu.answers import Configuration, answers

REFERENCE = Configuration("cpu")
Answers = list[list[Completion]]
AnswersOf = Callable[[Configuration], Answers]


def require(configuration: Configuration) -> None:
    """Skip where the machine has not the devices that the configuration needs.

    With PROCTOR_REQUIRE_GPU=1, as `make gpu` says, a machine without any fails.
    """
    if configuration.device == "cpu":
        return
    import torch

    count = torch.cuda.device_count()
    if count >= configuration.tensor:
        return
    words = f"needs {configuration.tensor} CUDA device(s), and this machine has {count}"
    if not count and os.environ.get("PROCTOR_REQUIRE_GPU") == "1":
        pytest.fail(words)
    pytest.skip(words)


@pytest.fixture(scope="session")
def demo_answers() -> AnswersOf:
    """What the demonstration's model answers to its tasks, asked once in each configuration."""

    @cache
    def of(configuration: Configuration) -> Answers:
        require(configuration)
        checkpoint = ARITHMETIC / "checkpoint"
        found = answers(configuration, checkpoint, demo_tasks.requests())
        return [answered.completions for answered in found]

    return of


def parameters(*configurations: Configuration) -> list[object]:
    """The configurations as a test's parameters; those on CUDA have the marker `gpu`."""
    return [
        pytest.param(one, id=str(one), marks=[pytest.mark.gpu] if one.device == "cuda" else [])
        for one in configurations
    ]
