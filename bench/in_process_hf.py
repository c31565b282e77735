"""What evaluators use today: lm-eval's own `hf` model, in this process."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

BATCH_SIZES = (1, 8, 16, 32)

Pair = tuple[str, str]
"""Context and continuation."""


def instances(pairs: Sequence[Pair]) -> list[Any]:
    """Return pairs as lm-eval's requests for log-likelihoods."""
    return [Instance("loglikelihood", {}, pair, at) for at, pair in enumerate(pairs)]


def best_hf(model: Path, requests: list[Any]) -> Any:
    """Return lm-eval's `hf` with the batch size at which it is fastest for these requests."""
    lm: Any = HFLM(pretrained=str(model), device="cpu", dtype="float32", batch_size=1)

    def seconds(size: int) -> float:
        lm.batch_size_per_gpu = size
        begin = time.perf_counter()
        lm.loglikelihood(requests, disable_tqdm=True)
        return time.perf_counter() - begin

    seconds(BATCH_SIZES[0])  # warm up
    lm.batch_size_per_gpu = min(BATCH_SIZES, key=seconds)
    return lm
