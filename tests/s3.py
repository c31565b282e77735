"""An S3 server: moto's, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from moto.server import ThreadedMotoServer


@contextmanager
def s3_server() -> Iterator[str]:
    """An empty server's URL; moto keeps what is stored for the process, not for a server."""
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    try:
        url = "http://{}:{}".format(*moto.get_host_and_port())
        httpx.post(f"{url}/moto-api/reset").raise_for_status()
        yield url
    finally:
        moto.stop()
