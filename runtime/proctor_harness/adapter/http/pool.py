"""Connections to one server, kept for the next request."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from proctor_harness.adapter.http.client import ClientConnection
from proctor_harness.adapter.http.incoming import StaleConnectionError
from proctor_harness.adapter.http.wire import header_lines
from proctor_harness.adapter.messages import Headers, Response

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 4.0
"""Below the 5 s after which common servers close an idle connection, so that none dies in use."""
WRITTEN_HERE = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection"})


@dataclass(frozen=True, slots=True)
class Server:
    """Where requests go."""

    host: str
    port: int
    tls: bool
    prefix: str
    """Path before each request's target."""

    @classmethod
    def at(cls, url: str) -> "Server":
        """Parse an http or https URL; raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url={url!r}: give a URL like http://host:8080 or https://host/path")
        tls = parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        return cls(parts.hostname, port, tls, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


class Pool:
    """Sends requests over as few connections as are needed at once."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._idle: list[ClientConnection] = []
        self._ssl = ssl.create_default_context() if server.tls else None
        self._host_line = f"host: {server.authority}\r\n".encode()

    async def send(
        self, method: str, target: str, headers: Headers, body: bytes, timeout_seconds: float
    ) -> Response:
        """Send a request; raises NoAnswerError, TimeoutError and OSError."""
        message = self._message(method, target, headers, body)
        head_only = method == "HEAD"
        if idle := self._kept():
            # Where it was closed while idle, the target has not read a word.
            with suppress(StaleConnectionError):
                return await idle.exchange(message, timeout_seconds, head_only=head_only)
        fresh = await self._connect()
        return await fresh.exchange(message, timeout_seconds, head_only=head_only)

    async def close(self) -> None:
        """Close every connection that is not in use."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _message(self, method: str, target: str, headers: Headers, body: bytes) -> bytes:
        start = f"{method} {self.server.prefix}{target} HTTP/1.1\r\n".encode("latin-1")
        lines = header_lines(headers, WRITTEN_HERE)
        # A method that usually has a body says that it has none; others need not.
        sized = body or method in ("POST", "PUT", "PATCH")
        length = b"content-length: %d\r\n" % len(body) if sized else b""
        return b"%b%b%b%b\r\n%b" % (start, self._host_line, lines, length, body)

    def _kept(self) -> ClientConnection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and now - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.close()
        return None

    async def _connect(self) -> ClientConnection:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_SECONDS):
            _, connection = await loop.create_connection(
                lambda: ClientConnection(self._release),
                self.server.host,
                self.server.port,
                ssl=self._ssl,
            )
        return connection

    def _release(self, connection: ClientConnection) -> None:
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)
