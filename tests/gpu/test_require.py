"""`make gpu` is not green on a machine without a device."""

import pytest
import torch

from tests.gpu.answers import Configuration
from tests.gpu.conftest import require


@pytest.mark.parametrize(
    ("required", "count", "outcome"),
    [
        ("1", 0, pytest.fail.Exception),
        ("1", 1, pytest.skip.Exception),
        ("", 0, pytest.skip.Exception),
    ],
)
def test_without_a_device(
    required: str, count: int, outcome: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCTOR_REQUIRE_GPU", required)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(outcome, match=f"has {count}"):
        require(Configuration("cuda", tensor=2))
