"""The files that a container has to itself."""

from pathlib import Path

from proctor_operator.cluster import Manifest

_MESSAGE_BYTES = 4096  # Kubernetes cuts what is longer
_FALLBACK_BYTES = 2048
_FALLBACK_LINES = 80


class ContainerFiles:
    """Working directory, home, log and termination message of one container."""

    def __init__(self, container: Manifest, directory: Path, log: Path) -> None:
        self.directory = directory / "work"
        self.home = directory / "home"
        self.termination = directory / "termination-log"
        self.log = log
        self.container_id = f"local://{directory.parent.name}/{container['name']}"
        self._falls_back = container.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        self._log_began = 0
        for each in (self.directory, self.home, log.parent):
            each.mkdir(parents=True, exist_ok=True)

    def begin(self) -> None:
        """Make ready for another run."""
        self.termination.write_bytes(b"")
        self._log_began = self.log.stat().st_size if self.log.exists() else 0

    def termination_message(self, *, failed: bool) -> str:
        """What the container said at its end."""
        message = self.termination.read_bytes() if self.termination.exists() else b""
        if not message and failed and self._falls_back:
            return self._log_tail()
        return message[:_MESSAGE_BYTES].decode(errors="replace")

    def _log_tail(self) -> str:
        with self.log.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(self._log_began, end - _FALLBACK_BYTES))
            lines = file.read().decode(errors="replace").splitlines(keepends=True)
        return "".join(lines[-_FALLBACK_LINES:])
