"""What the operator tells a pod, and what a pod answers in its termination message.

Both sides of the process boundary import these types and nothing else of each other. A pod learns
everything from its environment:

- ``RUN_SPEC``: a `RunSpec` as JSON (harness container);
- ``CHAT_TEMPLATE``: a Jinja template that replaces the tokenizer's (serving container);
- ``BASE_URL`` and, where a judge is asked, ``JUDGE_URL``: the OpenAI APIs (harness container);
- ``STORE_URL``: who stores the artifacts when asked by a POST, where that is not a volume's doing;
  it answers with a `Failure` where it could not (harness container);
- ``SHARD_INDEX``: which share of the questions it asks, where several pods ask them; its files are
  then in `shard_folder` of the artifacts;
- ``TERMINATION_MESSAGE_PATH``: where to write a `RunResult` or a `Failure` as JSON, which is packed
  (`proctor_crds.packing`) where it is longer than the kubelet keeps;
- ``TERMINATION_LIMIT``: bytes that the kubelet keeps of it, where they are fewer than usual.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from proctor_crds.base import Decimal, Model
from proctor_crds.results import Flagged, ResultRecord

CHAT_TEMPLATE = "CHAT_TEMPLATE"
"""The variable's name."""

TERMINATION_LIMIT = 4096
"""Bytes the kubelet keeps of one container's termination message."""

POD_TERMINATION_LIMIT = 12 * 1024
"""Bytes it keeps of a pod's, of which each container has the same share, init containers too."""


def termination_limit(environ: Mapping[str, str]) -> int:
    """Bytes the kubelet keeps of what this container says last."""
    return int(environ.get("TERMINATION_LIMIT", TERMINATION_LIMIT))


EXIT_REJECTED = 64
"""Exit code (sysexits' EX_USAGE) of a process that retrying cannot help: its input is wrong."""

EXIT_RETRYABLE = 75
"""Exit code (sysexits' EX_TEMPFAIL) of a process whose surroundings failed: worth a retry."""


def shards_folder(artifacts: Path) -> Path:
    """Where the artifacts of all pods lie that ask a share of the questions."""
    return artifacts / "shards"


def shard_folder(artifacts: Path, shard: int) -> Path:
    """Where a pod that asks a share of the questions has its artifacts."""
    return shards_folder(artifacts) / str(shard)


class HarnessParams(Model):
    """How the harness asks; absent means the harness's own default."""

    limit_samples: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = None
    """Samples of each task to ask; a plumbing test, not a score to quote."""
    few_shot: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Examples in each prompt."""
    parallelism: Annotated[int, Field(ge=1, le=1024)] = 8
    """Requests in flight."""
    request_timeout_seconds: Annotated[int, Field(ge=1, le=86400)] = 120
    """Longest wait for one answer."""
    max_retries: Annotated[int, Field(ge=0, le=100)] = 5
    """Times that one request is asked again after a failure of infrastructure."""
    temperature: Decimal | None = None
    """Sampling temperature of generations."""
    top_p: Decimal | None = None
    """Nucleus of generations."""
    max_new_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Longest generation."""
    extra: Annotated[dict[str, Annotated[str, Field(max_length=1024)]], Field(max_length=32)] = {}
    """Settings that only this harness knows."""


LEFT_TO_THE_ADAPTER = frozenset({"bfcl", "bigcode"})
"""Harnesses that do not ask again: the adapter does, and gives up in their place."""


class RunSpec(Model):
    """One evaluation, as the harness container receives it in ``RUN_SPEC``."""

    harness: str
    tasks: list[str]
    model: str
    """The served model name to put in each request."""
    judge_model: str | None = None
    """The same of the model that judges the answers, where there is one."""
    endpoint_type: Literal["completions", "chat"] = "completions"
    context_length: int | None = None
    """Most tokens of prompt and completion together that the target takes, where known."""
    seed: int = 1234
    """Of the answers; a repeat of the evaluation has one of its own."""
    shards: Annotated[int, Field(ge=1)] = 1
    """Pods that ask a share of the questions each, and score nothing."""
    shard: Annotated[int, Field(ge=0)] = 0
    """Whose share this is; the driver takes it from ``SHARD_INDEX``."""
    repeats: Annotated[int, Field(ge=1)] = 1
    """Times that each sample is asked."""
    repeat: Annotated[int, Field(ge=0)] = 0
    """Which of them this is; the driver counts them."""
    params: HarnessParams = HarnessParams()

    @property
    def first_seed(self) -> int:
        """Of what all repeats have in common, such as the examples in a prompt."""
        return self.seed - self.repeat

    def at(self, repeat: int) -> "RunSpec":
        """The same evaluation, asked once more."""
        told = {"seed": self.first_seed + repeat, "repeat": repeat}
        return self.model_copy(update=told)


class Unscored(Model):
    """What was to be evaluated and was not."""

    task: str
    """A task that was asked, or a part of one."""
    why: str
    """The reason, for a person."""


class RunResult(Model):
    """A finished evaluation."""

    results: list[ResultRecord]
    unscored: list[Unscored] = []
    """Of the tasks and their parts, those that have no score."""
    requests: Annotated[int, Field(ge=0)] | None = None
    """Requests that the target answered, as the adapter counted them."""
    flagged: Flagged = Flagged()
    """Answers that the harness is likely to have misjudged, as the adapter counted them."""
    truncated: bool = False
    """Records beyond the termination message's limit were left out; `results.json` has them all."""


class Failure(Model):
    """Why a process gave up: `reason` is a `proctor_crds.reasons.Reason`."""

    reason: str
    message: str
    requests: Annotated[int, Field(ge=0)] | None = None
    """Requests that the target had answered, as the adapter counted them, where it did."""
