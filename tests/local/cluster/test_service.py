"""Services: stable ports that lead to ready pods, or to nobody."""

import asyncio
from contextlib import suppress

import httpx
import pytest

from proctor_cli.local import LocalCluster
from proctor_operator.cluster import Manifest, Ref
from tests.contract.cluster.manifests import deployment, holds, server, until
from tests.local.cluster.conftest import IMAGE

ECHO = """
import os, socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        text = self.rfile.read()
        self.wfile.write(str(os.getpid()).encode() + b" " + text)
address = (os.environ["BIND_ADDRESS"], int(os.environ["PORT_HTTP"]))
socketserver.ThreadingTCPServer(address, Handler).serve_forever()
"""

PROBE = {"tcpSocket": {"port": "http"}, "periodSeconds": 0.05}


def service(**spec: object) -> Manifest:
    port = {"port": 80, "targetPort": "http"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "serve", "namespace": "default"},
        "spec": {"selector": {"app": "subject"}, "ports": [port], **spec},
    }


def echo(**spec: object) -> Manifest:
    main = server(IMAGE) | {"command": ["python", "-c", ECHO], "readinessProbe": PROBE}
    return deployment("default", main, **spec)


async def ask(port: int, text: bytes) -> tuple[int, bytes]:
    """Who answered, and what."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    writer.write_eof()
    who, _, answer = (await reader.read()).partition(b" ")
    writer.close()
    await writer.wait_closed()
    return int(who), answer


async def never_answers_again(port: int) -> None:
    with suppress(ConnectionError):  # refused or, in the very moment of the change, reset
        while True:
            await ask(port, b"")


async def test_connections_are_refused_while_nobody_is_ready(cluster: LocalCluster) -> None:
    await cluster.apply(service())
    url = cluster.service_url("default", "serve", 80)
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)


async def test_pods_take_turns_and_long_answers_come_whole(cluster: LocalCluster) -> None:
    port = int(cluster.service_url("default", "serve", 80).rpartition(":")[2])
    await cluster.apply(service())
    made = await cluster.apply(echo(replicas=2))
    await until(cluster, made, lambda d: d.get("status", {}).get("readyReplicas") == 2)
    text = b"x" * 3_000_000
    answers = [await ask(port, text) for _ in range(4)]
    assert all(answer == text for _, answer in answers)
    assert len({who for who, _ in answers}) == 2


async def test_the_port_outlives_its_pods(cluster: LocalCluster) -> None:
    await cluster.apply(service())
    made = await cluster.apply(echo())
    await until(cluster, made, holds("Available"))
    port = int(cluster.service_url("default", "serve", 80).rpartition(":")[2])
    first, _ = await ask(port, b"")
    none = await cluster.apply(echo(replicas=0))
    await until(cluster, none, lambda d: not d["status"].get("replicas"))
    with pytest.raises(ConnectionRefusedError):
        await ask(port, b"")
    again = await cluster.apply(echo(replicas=1))
    await until(cluster, again, lambda d: d.get("status", {}).get("readyReplicas") == 1)
    second, _ = await ask(port, b"")
    assert first != second
    await cluster.delete(Ref.of(service()))
    async with asyncio.timeout(5):
        await never_answers_again(port)
