"""What a harness module offers. mypy checks each module against `Harness`.

A harness runs as subprocesses, never inside the driver: its packages are heavy, its crash must not
take the driver along, and stock releases stay stock.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from proctor_crds.base import Model
from proctor_crds.wire import Failure, RunResult, RunSpec
from proctor_harness.items import Item

PREFLIGHT_FILE = "preflight.json"
"""Where in the output directory a preflight writes its `PreflightReport`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A parameter that the harness cannot use."""

    field: str
    value: object
    remedy: str

    def __str__(self) -> str:
        return f"{self.field}={self.value!r}: {self.remedy}"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a run happens."""

    base_url: str
    """The target's OpenAI API, ending in /v1: the adapter."""
    output_dir: Path
    """Writable and empty; what the harness writes here is kept."""
    datasets: Path | None
    """Task definitions and their data, read-only; the subprocess's working directory."""
    judge_url: str | None = None
    """The judge's OpenAI API, ending in /v1: an adapter too."""


class NoReportError(Exception):
    """The harness ended well and left no report."""


class PreflightReport(Model):
    """What a look at the tasks, before any request, finds out."""

    failure: Failure | None = None
    """Why the run cannot succeed."""
    total: int | None = None
    """Items that the run will ask, if that is cheap to know."""
    logprobs: bool = False
    """Whether a task scores log-probabilities of prompts."""
    tools: bool = False
    """Whether functions are given to be called."""


class Harness(Protocol):
    """One evaluation harness."""

    def validate(self, run: RunSpec) -> list[Problem]:
        """Check what can be checked without the harness's packages."""
        ...

    def preflight(self, run: RunSpec, workspace: Workspace) -> list[str] | PreflightReport:
        """Look ahead, or give the command that does and writes `PREFLIGHT_FILE`."""
        ...

    def commands(self, run: RunSpec, workspace: Workspace) -> list[list[str]]:
        """Give the commands that evaluate, one after the other; the first failure ends the run."""
        ...

    def parse(self, run: RunSpec, output_dir: Path) -> RunResult:
        """Read the scores that the commands left.

        A metric of no samples is not a score: what was asked and not evaluated goes to `unscored`.
        Raises NoReportError.
        """
        ...

    def items(self, output_dir: Path) -> list[Item]:
        """Read what became of each sample; nothing where the files do not tell."""
        ...
