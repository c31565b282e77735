"""Starting processes that cancellation cannot leave behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any


async def spawn(*argv: str | Path, **options: Any) -> asyncio.subprocess.Process:
    """`asyncio.create_subprocess_exec`, except that when cancelled it waits for what it kills.

    asyncio itself kills the process but does not wait; its end is then reported to a loop that may
    be closed by then.
    """
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*argv, **options))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        process = await starting
        process.kill()
        await process.wait()
        raise


@asynccontextmanager
async def bounded(*argv: str | Path, **options: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that does not outlive the block."""
    process = await spawn(*argv, **options)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
