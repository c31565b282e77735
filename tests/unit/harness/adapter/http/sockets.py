"""Both ends of a connection, byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from proctor_harness.adapter.http.pool import Pool, Server
from proctor_harness.adapter.http.server import server_protocol
from proctor_harness.adapter.messages import Endpoint

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Script = Callable[[Reader, Writer], Awaitable[None]]


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


@asynccontextmanager
async def client_of(answer: Endpoint) -> AsyncIterator[tuple[Reader, Writer]]:
    """A raw connection to our server."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(server_protocol(answer), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()


@asynccontextmanager
async def pool_of(script: Script) -> AsyncIterator[tuple[Pool, list[int]]]:
    """Our pool before a server that does as `script` says, and the connections it took."""
    connections: list[int] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        connections.append(len(connections))
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    pool = Pool(Server("127.0.0.1", port_of(server), tls=False, prefix=""))
    try:
        yield pool, connections
    finally:
        await pool.close()
        server.close()


async def one_request(reader: Reader) -> bytes:
    """A request with a body of known length."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    return head + await reader.readexactly(int(lines.get(b"content-length", 0)))
