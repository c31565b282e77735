"""Real servers on the loopback, and a gate before them that counts and can be shut."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an ASGI application; yield its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class Gate:
    """Lets bytes through to a server, counts those that come back, and stops after a limit."""

    def __init__(self, host: str, port: int, limit: int | None) -> None:
        self.passed = 0
        self.shut = threading.Event()
        """Is set when the limit is reached: nothing passes any more, and nobody is told."""
        self._to = (host, port)
        self._limit = limit
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def open(self) -> None:
        self._threads[0].start()

    def close(self) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._to)
                self._sockets += [client, server]
                for copy in ((client, server, False), (server, client, True)):
                    thread = threading.Thread(target=self._copy, args=copy)
                    self._threads.append(thread)
                    thread.start()

    def _copy(self, source: socket.socket, to: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if counted and not self._may_pass(len(data)):
                    return
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)

    def _may_pass(self, size: int) -> bool:
        with self._lock:
            if self._limit is not None and self.passed >= self._limit:
                self.shut.set()
                return False
            self.passed += size
            return True


@contextmanager
def gate(url: str, limit: int | None = None) -> Iterator[Gate]:
    """Put a gate before the server at `url`; after `limit` bytes it is shut."""
    host, _, port = url.removeprefix("http://").partition(":")
    made = Gate(host, int(port), limit)
    made.open()
    try:
        yield made
    finally:
        made.close()
