from dataclasses import replace

import pytest

from proctor_crds.reasons import Reason
from proctor_runtime.engine.megatron.source import check_context
from proctor_runtime.failure import RejectedError
from tests.unit.runtime.configurations import DENSE


@pytest.mark.parametrize(("window", "length"), [(None, 10**6), (64, 64), (300, 10**6)], ids=str)
def test_a_window_that_no_sequence_outgrows_makes_no_difference(
    window: int | None, length: int
) -> None:
    check_context(replace(DENSE, attention_window=window), length)


def test_a_window_that_sequences_outgrow_is_refused_with_the_remedy() -> None:
    with pytest.raises(RejectedError, match=r"of 64 tokens.*of 65.*maxSequenceLength to 64") as no:
        check_context(replace(DENSE, attention_window=64), 65)
    assert no.value.reason == Reason.CHECKPOINT_UNSUPPORTED
