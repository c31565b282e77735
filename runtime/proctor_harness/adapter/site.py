"""What an interceptor finds around it when it is built."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from proctor_harness.adapter.configuration import ConfigurationError
from proctor_harness.adapter.content import Json
from proctor_harness.adapter.disk import Disk
from proctor_harness.adapter.figures import Figures
from proctor_harness.adapter.messages import Response

logger = logging.getLogger(__name__)


class Fetch(Protocol):
    """Asks a server other than the target."""

    async def __call__(
        self, method: str, url: str, headers: dict[str, str], body: bytes
    ) -> Response:
        """Ask once; raises NoAnswerError, TimeoutError and OSError."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """Where the adapter works."""

    artifacts: Path
    url: str
    """The target."""
    identity: str
    """Stands for the model that answers: the same question to another is another question."""
    session: str
    """One start of the harness."""
    api_key: str | None
    environ: Mapping[str, str]
    disk: Disk
    figures: Figures
    fetch: Fetch
    secrets: frozenset[bytes] = frozenset()
    """What no log may show, in whatever header it stands."""
    shards: tuple[Path, ...] = ()
    """Artifacts of the pods whose answers are there to begin with."""
    unseen: Json = None
    """Configuration that changes requests otherwise than in the body that ``caching`` sees."""
    finishers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """What is done when the evaluation ends: reports, last figures."""
    answer_logs: list[Path] = field(default_factory=list)
    """Where ``caching`` keeps questions and answers."""

    def path(self, configured: str) -> Path:
        """A configured path, inside the artifacts: nothing else is writable or kept.

        Raises ConfigurationError for what no file system takes.
        """
        if "\0" in configured:
            raise ConfigurationError([f"{configured!r}: a path has no NUL character: leave it out"])
        given = Path(configured)
        if given.is_relative_to(self.artifacts):
            return given
        inside = [part for part in given.parts if part not in ("/", "..")]
        return self.artifacts.joinpath(*inside)

    async def finish(self) -> None:
        """Do what is done at the end, and write it."""
        for finisher in self.finishers:
            try:
                await finisher()
            except Exception:
                logger.exception("%s failed; the other reports are written", finisher)
        await self.disk.flush()
