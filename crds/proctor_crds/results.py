"""Scores, as pods report them and the status shows them."""

from typing import Annotated, Literal

from pydantic import Field

from proctor_crds.base import Decimal, Model


class Flagged(Model):
    """Answers that a harness takes for wrong although the model was not heard, or not to its end.

    They are counted as they came: a question that was asked twice counts twice.
    """

    reasoning_only: Annotated[int, Field(ge=0)] = 0
    """Answers in which the model reasoned, and said nothing after."""
    empty: Annotated[int, Field(ge=0)] = 0
    """Answers of nothing but white space."""
    truncated: Annotated[int, Field(ge=0)] = 0
    """Answers that a limit of tokens ended."""


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
    repeats: Annotated[int, Field(ge=1)] | None = None
    """Times that each sample was asked, where that is more than once."""
    stdev_of_repeats: Decimal | None = None
    """Standard deviation of the value between the repeats."""
    errors: Annotated[int, Field(ge=0)] | None = None
    """Of the samples, those without an answer of the target, which the harness counts as wrong.

    Over all repeats, as are extraction failures.
    """
    extraction_failures: Annotated[int, Field(ge=0)] | None = None
    """Of the samples, those in whose answer the harness found nothing to judge."""
    direction: Literal["higher", "lower"] | None = None
    """Which way is better."""
