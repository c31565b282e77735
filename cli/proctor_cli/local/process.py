"""One running command, held through its shim."""

import asyncio
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from proctor_cli.local.spawn import spawn

_SHIM = str(Path(__file__).with_name("shim.py"))


class CommandNotFound(Exception):  # noqa: N818  what happened, in containerd's words
    """There is no such executable for the container."""


class Process:
    """A command, everything that it starts, and the log that they write."""

    def __init__(self, shim: asyncio.subprocess.Process) -> None:
        self._shim = shim

    @classmethod
    async def start(
        cls, argv: Sequence[str], env: Mapping[str, str], directory: Path, log: Path
    ) -> "Process":
        """Run `argv` in `directory`, with standard output and error appended to `log`."""
        executable = shutil.which(argv[0], path=env.get("PATH"))
        if executable is None:
            raise CommandNotFound(f'exec: "{argv[0]}": executable file not found in $PATH')
        with log.open("ab") as output:
            shim = await spawn(
                *(sys.executable, "-I", "-S", _SHIM, executable, *argv[1:]),
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=dict(env),
                cwd=directory,
                start_new_session=True,  # Ctrl-C in the terminal is for us alone
            )
        return cls(shim)

    async def wait(self) -> int:
        """The exit code, once all processes have ended; 128 plus the signal that ended it."""
        code = await self._shim.wait()
        return code if code >= 0 else 128 - code

    async def stop(self, grace_seconds: float) -> int:
        """SIGTERM to the command; SIGKILL to all that remains after `grace_seconds`."""
        self._order(b"T")
        try:
            return await asyncio.wait_for(self.wait(), grace_seconds)
        except TimeoutError:
            self.kill()
            return await self.wait()

    def kill(self) -> None:
        """SIGKILL to the command and everything that it started."""
        self._order(b"K")

    def _order(self, order: bytes) -> None:
        pipe = self._shim.stdin
        if pipe is not None and self._shim.returncode is None:
            with suppress(ConnectionError, RuntimeError):  # it has just ended of itself
                pipe.write(order)
