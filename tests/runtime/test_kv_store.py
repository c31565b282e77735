"""How large the KV store is made."""

import re

import pytest
import torch

from proctor_crds.reasons import Reason
from proctor_runtime.engine.options import EngineOptions
from proctor_runtime.failure import RejectedError
from tests.runtime.conftest import quiet

with quiet():
    from proctor_runtime.engine.megatron.kv_store import check_budget, count_blocks, zeros

SLOT = 1024
BLOCK = 16 * SLOT


def test_a_budget_is_kept_to_the_byte() -> None:
    options = EngineOptions(kv_cache_gib=0.5)
    blocks = count_blocks(options, 2048, SLOT, free_bytes=None)
    assert blocks * BLOCK == 1 << 29
    assert count_blocks(options, 2048, SLOT + 1, free_bytes=None) * (BLOCK + 16) < 1 << 29


@pytest.mark.parametrize("longest", [1, 16, 17, 1000, 4096])
def test_a_budget_that_is_named_holds_the_longest_sequence(longest: int) -> None:
    """And is no more than a thousandth of a GiB above what it takes."""
    check_budget(None, longest, SLOT)
    with pytest.raises(RejectedError, match=f"may have {longest}") as refused:
        check_budget(1e-6, longest, SLOT)
    named = re.search(r"set it to ([0-9.]+) or more", str(refused.value))
    assert named
    check_budget(float(named[1]), longest, SLOT)
    assert float(named[1]) * (1 << 30) < (longest + 15) * SLOT + (1 << 30) / 1000


@pytest.mark.parametrize("free", [None, 80 << 30], ids=["CPU", "GPU"])
def test_without_a_budget_it_holds_the_largest_batch(free: int | None) -> None:
    options = EngineOptions(max_batch_size=4)
    assert count_blocks(options, 1000, SLOT, free_bytes=free) == 4 * 63


@pytest.mark.parametrize(
    ("free", "bound"), [(None, 2 << 30), (10 << 30, 8 << 30)], ids=["CPU", "GPU"]
)
def test_without_a_budget_it_is_bounded(free: int | None, bound: int) -> None:
    options = EngineOptions(max_batch_size=4096)
    blocks = count_blocks(options, 1 << 20, SLOT, free_bytes=free)
    assert 0 <= bound - blocks * BLOCK < BLOCK


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_store_begins_with_zeros_of_its_type(dtype: torch.dtype) -> None:
    store = zeros((3, 5), dtype, torch.device("cpu"))
    assert store.dtype is dtype
    assert torch.equal(store, torch.zeros(3, 5, dtype=dtype))


def test_a_store_for_which_there_is_no_memory() -> None:
    beyond_any_address_space = (1 << 40, 1 << 10)
    with pytest.raises(RejectedError, match=r"a KV cache of 1\.05e\+06 GiB") as refused:
        zeros(beyond_any_address_space, torch.uint8, torch.device("cpu"))
    assert refused.value.reason == Reason.KV_CACHE_TOO_LARGE
    assert "set engine.kvCacheGiB lower" in str(refused.value)
