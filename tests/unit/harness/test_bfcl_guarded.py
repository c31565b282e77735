"""What an argument of a decoded call may compute, and what it may not."""

import pytest

from proctor_harness.harnesses.bfcl_guarded import arithmetic


@pytest.mark.parametrize(
    "expression",
    ["1 + 2", "2 * 3.5", "-(4 - 1)", "10 ** 3", "7 // 2", "7 % 4", "1 / 4", "'a' + 'b'", "-2 + 1"],
)
def test_computes_what_eval_would(expression: str) -> None:
    assert arithmetic(expression) == eval(expression)  # noqa: S307  our own literals


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true') + 1",
        "().__class__.__base__ + 1",
        "open('/etc/passwd').read() + 'x'",
        "x + 1",
        "[1] * 10**9",
        "'a' * 10**9",
        "9 ** 9 ** 9",
        "1 << 10**9",
        "(lambda: 1)() + 1",
    ],
)
def test_refuses_the_rest(expression: str) -> None:
    with pytest.raises(ValueError, match=r"^(not|too great)"):
        arithmetic(expression)
