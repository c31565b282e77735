"""Scores, as pods report them and the status shows them."""

from typing import Annotated, Literal

from pydantic import Field

from proctor_crds.base import Decimal, Model


class ResultRecord(Model):
    """One task's one metric."""

    task: Annotated[str, Field(max_length=253)]
    """Task."""
    metric: Annotated[str, Field(max_length=253)]
    """Metric."""
    filter: Annotated[str, Field(max_length=253)] = "none"
    """The harness's name for how answers were extracted."""
    value: Decimal
    """The score."""
    stderr: Decimal | None = None
    """Its standard error, where the harness gives one."""
    n: Annotated[int, Field(ge=0)]
    """Samples that the value was computed from."""
    direction: Literal["higher", "lower"] | None = None
    """Which way is better."""
