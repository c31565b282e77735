"""Tests on a machine that cannot provide a cluster: skipped with the reason, or failed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.provider.errors import UnavailableError


@contextmanager
def skip_unless_available() -> Iterator[None]:
    """Skip where this machine lacks something. CI sets PROCTOR_REQUIRE_CLUSTER=1: there it fails.

    Only lacking is a reason to skip: a cluster that broke is always a failure.
    """
    try:
        yield
    except UnavailableError as error:
        if os.environ.get("PROCTOR_REQUIRE_CLUSTER") == "1":
            pytest.fail(f"PROCTOR_REQUIRE_CLUSTER=1, but {error}")
        pytest.skip(str(error))
