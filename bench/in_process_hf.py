"""What evaluators use today: lm-eval's own `hf` model, in a process that has nothing else to do.

In one process with our engine both would be slow: libgomp lets threads wait for their next loop
only as long as there are no more of them than processors, and else puts them to sleep each time.
"""

import multiprocessing as mp
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from proctor_runtime import libraries

BATCH_SIZES = (1, 8, 16, 32)

Pair = tuple[str, str]
"""Context and continuation."""

Prompt = tuple[int, ...]


class HuggingFace:
    """A model of transformers in another process, which measures itself there."""

    def __init__(self, process: ProcessPoolExecutor) -> None:
        self._process = process

    @classmethod
    @contextmanager
    def of(cls, model: Path) -> Iterator["HuggingFace"]:
        """Load a model."""
        context = mp.get_context("spawn")
        with ProcessPoolExecutor(1, context, initializer=Child.load, initargs=(model,)) as process:
            yield cls(process)

    def tune(self, pairs: Sequence[Pair]) -> None:
        """Choose the batch size at which `pairs` are scored fastest."""
        self._process.submit(Child.tune, pairs).result()

    def loglikelihoods(self, pairs: Sequence[Pair]) -> tuple[float, list[float]]:
        """Return seconds, and each continuation's log-likelihood."""
        return self._process.submit(Child.loglikelihoods, pairs).result()

    def generate(self, prompts: Sequence[Prompt], new: int) -> float:
        """Return the seconds that `new` greedy tokens take behind prompts of one length."""
        return self._process.submit(Child.generate, prompts, new).result()


class Child:
    """What the other process does."""

    lm: ClassVar[Any]

    @classmethod
    def load(cls, model: Path) -> None:
        """Load lm-eval's `hf`, with PyTorch's own settings."""
        for name in libraries.DEFAULTS:
            os.environ.pop(name, None)
        from lm_eval.models.huggingface import HFLM  # noqa: PLC0415 - slow, and the child's alone

        cls.lm = HFLM(pretrained=str(model), device="cpu", dtype="float32", batch_size=1)
        cls.lm.model.generation_config.eos_token_id = None

    @classmethod
    def tune(cls, pairs: Sequence[Pair]) -> None:
        """Choose the best batch size."""

        def cost(size: int) -> float:
            cls.lm.batch_size_per_gpu = size
            return cls.loglikelihoods(pairs)[0]

        cost(BATCH_SIZES[0])  # warm up
        cls.lm.batch_size_per_gpu = min(BATCH_SIZES, key=cost)

    @classmethod
    def loglikelihoods(cls, pairs: Sequence[Pair]) -> tuple[float, list[float]]:
        """Score continuations."""
        requests = instances(pairs)
        found: list[tuple[float, bool]] = []
        seconds = timed(lambda: found.extend(cls.lm.loglikelihood(requests, disable_tqdm=True)))
        return seconds, [value for value, _ in found]

    @classmethod
    def generate(cls, prompts: Sequence[Prompt], new: int) -> float:
        """Generate greedily."""
        import torch  # noqa: PLC0415 - slow, and the child's alone

        ids = torch.tensor(prompts)
        mask = torch.ones_like(ids)

        def run() -> None:
            out = cls.lm.model.generate(
                ids, attention_mask=mask, max_new_tokens=new, do_sample=False
            )
            if out.shape[1] != ids.shape[1] + new:
                raise AssertionError(f"{new} new tokens were asked for: {out.shape}")

        return timed(run)


def timed(run: Callable[[], None]) -> float:
    """Return how many seconds it takes."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def instances(pairs: Sequence[Pair]) -> list[Any]:
    """Return pairs as lm-eval's requests for log-likelihoods."""
    from lm_eval.api.instance import Instance  # noqa: PLC0415 - slow

    return [Instance("loglikelihood", {}, pair, at) for at, pair in enumerate(pairs)]
