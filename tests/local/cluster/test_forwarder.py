"""A forwarder alone: what becomes of connections when things go wrong behind it."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from proctor_cli.local.forwarder import Forwarder
from proctor_cli.local.ports import Ports


@pytest.fixture
def ports() -> Iterator[Ports]:
    with closing(Ports()) as opened:
        yield opened


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    await reader.read()
    writer.close()


async def test_a_target_that_is_gone_is_passed_over(ports: Ports) -> None:
    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    forwarder = Forwarder(ports.take())
    forwarder.aim([ports.take(), server.sockets[0].getsockname()[1]])
    for _ in range(2):
        reader, writer = await asyncio.open_connection("127.0.0.1", forwarder.port)
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        await writer.wait_closed()
    await forwarder.close()
    server.close()
    await server.wait_closed()


async def test_nobody_at_all_is_a_reset(ports: Ports) -> None:
    forwarder = Forwarder(ports.take())
    forwarder.aim([ports.take()])
    reader, writer = await asyncio.open_connection("127.0.0.1", forwarder.port)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    await forwarder.close()


async def test_closing_ends_open_connections(ports: Ports) -> None:
    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    forwarder = Forwarder(ports.take())
    forwarder.aim([server.sockets[0].getsockname()[1]])
    reader, writer = await asyncio.open_connection("127.0.0.1", forwarder.port)
    assert await reader.readexactly(5) == b"hello"
    await forwarder.close()
    async with asyncio.timeout(5):
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()
    server.close()
    await server.wait_closed()
