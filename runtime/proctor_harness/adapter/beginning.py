"""Why an adapter cannot begin.

A sidecar that ends is started again, for ever, unless its exit code says that this cannot help.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from proctor_crds.reasons import Reason
from proctor_crds.wire import Failure
from proctor_harness.adapter.configuration import ConfigurationError
from proctor_harness.adapter.errors import InterceptorError


class BeginningError(Exception):
    """It cannot."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@contextlib.contextmanager
def beginning(artifacts: Path) -> Iterator[None]:
    """What is done before the first request; raises BeginningError in place of its exceptions."""
    try:
        yield
    except Exception as error:
        raise BeginningError(failure(error, artifacts)) from error


def failure(error: Exception, artifacts: Path) -> Failure:
    """The exception in words that say what to do."""
    if isinstance(error, ConfigurationError):
        return Failure(reason=Reason.PARAMETER_INVALID, message=f"adapter: {error}")
    built = error if isinstance(error, InterceptorError) else None
    cause = built.__cause__ if built and built.__cause__ else error
    if isinstance(cause, OSError) and lies_in(cause.filename, artifacts):
        refused = f"artifacts: {cause.filename}: {cause.strerror}"
        remedy = "make the claim writable for group 65532, or free it"
        return Failure(reason=Reason.ARTIFACTS_REFUSED, message=f"{refused}: {remedy}")
    words = f"{type(cause).__name__}: {cause}"
    if built:
        named = f"adapter: interceptor {built.name}: {words}"
        return Failure(reason=Reason.INTERCEPTOR_FAILED, message=named)
    return Failure(reason=Reason.PARAMETER_INVALID, message=f"adapter: cannot begin: {words}")


def lies_in(filename: object, artifacts: Path) -> bool:
    """Whether a file is one of the artifacts."""
    return isinstance(filename, str | Path) and Path(filename).is_relative_to(artifacts)
