"""A defect is told in a few lines."""

import pytest
import structlog

from proctor_operator import logs


def broken(secret: str) -> None:
    raise KeyError(len(secret))


def test_a_defect_is_told_without_the_values_of_variables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = structlog.get_config()
    logs.configure()
    try:
        broken(f"{'hu'}sh")
    except KeyError:
        structlog.get_logger().exception("reconcile failed", name="demo")
    finally:
        structlog.configure(**before)
    said = capsys.readouterr().err
    assert "reconcile failed" in said
    assert "name=demo" in said
    assert "KeyError: 4" in said
    assert "hush" not in said
    assert said.count("\n") < 20
