"""The Triton server's process, its models, and the traps on the way to both."""

import os
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from pytriton.triton import Triton, TritonConfig

from proctor_runtime.settings import Addresses
from proctor_runtime.transports.protocol import EngineQueue
from proctor_runtime.transports.triton import engine_model, text_model
from proctor_runtime.transports.triton.engine_model import EngineModel
from proctor_runtime.transports.triton.text_model import Complete, TextModel

SOCKET_PATH_LIMIT = 107
"""Bytes of a Unix socket's path (sockaddr_un.sun_path, less the final zero)."""

LONGEST_NAME = 40
"""Of Triton's model; long names make long socket paths."""

TOKENS = "-tokens"
"""Appended to the deployment's name: the model of token ids."""

LONGEST_SOCKET_NAME = 60 + len(TOKENS)
"""What pytriton appends to the workspace: the model's name and a suffix."""


class TritonServer:
    """A server with its two models."""

    def __init__(
        self,
        queue: EngineQueue,
        complete: Complete,
        model_name: str,
        addresses: Addresses,
        max_batch_size: int,
    ) -> None:
        share_libpython()
        self.text_model = triton_name(model_name)
        self.engine_model = self.text_model + TOKENS
        self.models = (self.text_model, self.engine_model)
        self._workspace = TemporaryDirectory(prefix="triton-", dir=socket_root())
        # pytriton insists on making the folder itself.
        workspace = Path(self._workspace.name, "w")
        self._triton = Triton(config=triton_config(addresses), workspace=workspace)
        self._triton.bind(
            model_name=self.text_model,
            infer_func=[TextModel(complete).infer] * text_model.INSTANCES,
            inputs=text_model.INPUTS,
            outputs=text_model.OUTPUTS,
            config=text_model.config(max_batch_size),
        )
        self._triton.bind(
            model_name=self.engine_model,
            infer_func=EngineModel(queue).infer,
            inputs=engine_model.INPUTS,
            outputs=engine_model.OUTPUTS,
            config=engine_model.CONFIG,
        )

    def start(self) -> None:
        """Start the server and wait for its models."""
        self._triton.run()

    def stop(self) -> None:
        """Stop the server."""
        self._triton.stop()
        self._workspace.cleanup()

    def is_alive(self) -> bool:
        """Tell whether the server's process runs."""
        return bool(self._triton.is_alive())


def triton_name(model_name: str) -> str:
    """Return a name that Triton's URLs and files can carry."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in model_name)[:LONGEST_NAME]


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


def share_libpython() -> None:
    """Let the server's Python stub find this very interpreter's library.

    The stub links ``libpython3.x.so.1.0``; with another patch release than ours on the system it
    would load that one, and break inside our standard library. The server inherits our environment.
    """
    folder = sysconfig.get_config_var("LIBDIR")
    library = sysconfig.get_config_var("INSTSONAME")
    if folder and library and (Path(folder) / library).exists():
        others = os.environ.get("LD_LIBRARY_PATH", "").split(":")
        paths = [folder, *(path for path in others if path and path != folder)]
        os.environ["LD_LIBRARY_PATH"] = ":".join(paths)
