"""The Triton server beside this process, which pytriton runs: its settings, its start, its end."""

import logging
import os
import sysconfig
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import numpy as np
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from proctor_runtime.settings import Addresses

logger = logging.getLogger(__name__)

Infer = Callable[[Sequence[Any]], Awaitable[list[dict[str, np.ndarray[Any, Any]]]]]

INSTANCES = 2
"""While one instance's batch is in the engine, the other's waits: the engine is never idle."""

QUEUE_DELAY_MICROSECONDS = 1000

START_SECONDS = 300
"""Until then a start that failed is begun anew."""

SOCKET_PATH_LIMIT = 107
"""Bytes of a Unix socket's path (sockaddr_un.sun_path, less the final zero)."""

LONGEST_SOCKET_NAME = 60
"""What pytriton appends to the workspace: the model's name and a suffix."""

HANDSHAKE = "get_config_from_handshake_server"
"""pytriton's function that fails, here or in Triton, when one of its processes is late."""


class TritonServer:
    """One server process with one model, in a workspace of its own."""

    def __init__(
        self, model_name: str, infer: Infer, addresses: Addresses, max_batch_size: int
    ) -> None:
        self._workspace = TemporaryDirectory(prefix="triton-", dir=socket_root())
        # pytriton insists on making the folder itself.
        workspace = Path(self._workspace.name, "w")
        self._triton = Triton(config=triton_config(addresses), workspace=workspace)
        self._triton.bind(
            model_name=model_name,
            infer_func=[infer] * INSTANCES,
            inputs=[Tensor(name="request", dtype=bytes, shape=(1,))],
            outputs=[Tensor(name="response", dtype=bytes, shape=(1,))],
            config=ModelConfig(
                max_batch_size=max_batch_size,
                batcher=DynamicBatcher(max_queue_delay_microseconds=QUEUE_DELAY_MICROSECONDS),
            ),
        )

    def run(self) -> None:
        """Start the process and wait for its model."""
        self._triton.run()

    def stop(self) -> None:
        """Stop the process."""
        self._triton.stop()
        self._workspace.cleanup()

    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return bool(self._triton.is_alive())

    def log(self) -> str:
        """Return what the process has written, also after its end."""
        process = self._triton._triton_server  # pytriton keeps it to itself
        return str(process.logs()) if process else ""


def started(make: Callable[[], TritonServer], seconds: float = START_SECONDS) -> TritonServer:
    """Start a server that `make` makes; raise what went wrong if none starts in time.

    pytriton gives its processes one second to greet each other and has no setting for it. On a
    starved machine that is too little, and nothing is left to do but to begin anew.
    """
    prepare_environment()
    deadline = time.monotonic() + seconds
    while (server := run_once(make(), final=time.monotonic() > deadline)) is None:
        logger.warning("pytriton's processes were too slow to greet each other; starting it again")
    return server


def run_once(server: TritonServer, *, final: bool) -> TritonServer | None:
    """Start the server; None if it was only too slow, unless this is the final attempt."""
    try:
        server.run()
    except Exception:
        server.stop()
        # Triton tells us of a failure in one of its processes, unless it breaks of it itself.
        if final or HANDSHAKE not in traceback.format_exc() + server.log():
            raise
        return None
    return server


def triton_config(addresses: Addresses) -> TritonConfig:
    """Return the server's own settings."""
    return TritonConfig(
        http_address=addresses.bind,
        http_port=addresses.triton_http,
        grpc_address=addresses.bind,
        grpc_port=addresses.triton_grpc,
        metrics_port=addresses.triton_metrics,
    )


def socket_root() -> str:
    """The temporary directory, unless sockets below it would have too long a path: then /tmp."""
    wanted = gettempdir()
    return wanted if len(wanted) + LONGEST_SOCKET_NAME < SOCKET_PATH_LIMIT else "/tmp"  # noqa: S108  the directory made in it is private


def prepare_environment() -> None:
    """Set what the server inherits from this process's environment."""
    share_libpython()
    # Our rows are short texts. Without the store of shared memory, which is meant for tensors,
    # there is one process less to start before the instances greet each other.
    os.environ.setdefault("PYTRITON_NO_TENSORSTORE", "1")


def share_libpython() -> None:
    """Let the server's Python stub find this very interpreter's library.

    The stub links ``libpython3.x.so.1.0``; with another patch release than ours on the system it
    would load that one, and break inside our standard library.
    """
    folder = sysconfig.get_config_var("LIBDIR")
    library = sysconfig.get_config_var("INSTSONAME")
    if folder and library and (Path(folder) / library).exists():
        others = os.environ.get("LD_LIBRARY_PATH", "").split(":")
        paths = [folder, *(path for path in others if path and path != folder)]
        os.environ["LD_LIBRARY_PATH"] = ":".join(paths)
