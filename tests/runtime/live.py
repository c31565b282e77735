"""The API on a real socket, in a thread of this process."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from proctor_runtime.openai.listen import DrainingServer, configuration
from tests.runtime.letters import Letters

START_SECONDS = 20


@contextmanager
def live(server: Letters) -> Iterator[str]:
    """Serve, and yield the URL of ``/v1``."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = configuration(server.app(), host="127.0.0.1", port=0)
        http = DrainingServer(config, server.traffic)
        thread = threading.Thread(target=http.run, args=([listening],), daemon=True)
        thread.start()
        wait_until(lambda: http.started)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            http.should_exit = True
            thread.join(START_SECONDS)


def wait_until(holds: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never did"
        time.sleep(0.01)
