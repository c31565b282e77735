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
    ci_low: Decimal | None = None
    """Lower end of the 95 % confidence interval, where its method is known to fit the metric."""
    ci_high: Decimal | None = None
    """Upper end of it."""
    n: Annotated[int, Field(ge=0)] | None = None
    """Samples that the value was computed from; absent where the harness does not say."""
    errors: Annotated[int, Field(ge=0)] | None = None
    """Of the samples, those without an answer of the target, which the harness counts as wrong."""
    extraction_failures: Annotated[int, Field(ge=0)] | None = None
    """Of the samples, those in whose answer the harness found nothing to judge."""
    direction: Literal["higher", "lower"] | None = None
    """Which way is better."""
