"""A TCP port of 127.0.0.1 that leads to others."""

import asyncio
import itertools
import socket
import struct
from contextlib import suppress

from proctor_cli.local.ports import LOOPBACK, bound_socket

_CHUNK = 65536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Forwarder:
    """Listens while there is somewhere to lead to; otherwise whoever connects is refused."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._socket = bound_socket(port)
        self._listening = False
        self._targets: list[int] = []
        self._turn = itertools.count()
        self._connections: set[asyncio.Task[None]] = set()

    def aim(self, targets: list[int]) -> None:
        """Lead new connections to these ports in turn; those that are open stay as they are."""
        self._targets = targets
        if targets and not self._listening:
            self._listen()
        elif not targets and self._listening:
            self._refuse()

    async def close(self) -> None:
        """End every connection and give the port up."""
        if self._listening:
            asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    def _listen(self) -> None:
        self._listening = True
        self._socket.setblocking(False)
        self._socket.listen()
        asyncio.get_running_loop().add_reader(self._socket, self._accept)

    def _refuse(self) -> None:
        self._listening = False
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._socket = bound_socket(self.port)  # keep the port, but not an ear on it

    def _accept(self) -> None:
        try:
            client, _ = self._socket.accept()
        except OSError:
            return  # the client has gone again
        task = asyncio.create_task(self._forward(client))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _forward(self, client: socket.socket) -> None:
        client.setblocking(False)
        here = await asyncio.open_connection(sock=client)
        try:
            there = await self._connect()
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            here[1].transport.abort()
            return
        try:
            await asyncio.gather(_pump(here[0], there[1]), _pump(there[0], here[1]))
        finally:
            here[1].transport.abort()
            there[1].transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the next target that takes one."""
        targets, first = self._targets, next(self._turn)
        for offset in range(len(targets)):
            with suppress(OSError):
                port = targets[(first + offset) % len(targets)]
                return await asyncio.open_connection(LOOPBACK, port)
        raise ConnectionRefusedError(f"nobody behind port {self.port}")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction to its end, and pass the end on."""
    with suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
            return
    writer.transport.abort()
