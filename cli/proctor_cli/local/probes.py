"""Startup, readiness and liveness probes of one running container."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from proctor_cli.local.ports import LOOPBACK, PodPorts
from proctor_cli.local.process import CommandNotFound, Process
from proctor_operator.cluster import Manifest

Check = Callable[[], Awaitable[str | None]]
"""Looks once; the complaint, or None if all is well."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a probe needs to know of the container that it looks at."""

    ports: PodPorts
    env: Mapping[str, str]
    directory: Path
    http: httpx.AsyncClient


@dataclass(frozen=True, slots=True)
class Probe:
    """When to look, and how often the same answer counts."""

    check: Check
    initial_delay: float
    period: float
    timeout: float
    failures: int
    successes: int

    @classmethod
    def parse(cls, spec: Manifest, around: Surroundings) -> "Probe":
        """The probe of a manifest, with Kubernetes' defaults."""
        return cls(
            check=_check(spec, around),
            initial_delay=spec.get("initialDelaySeconds", 0),
            period=spec.get("periodSeconds", 10),
            timeout=spec.get("timeoutSeconds", 1),
            failures=spec.get("failureThreshold", 3),
            successes=spec.get("successThreshold", 1),
        )

    async def watch(
        self, on_success: Callable[[], None], on_failure: Callable[[str], None]
    ) -> None:
        """Look for ever; tell of every verdict, that is of each run of like answers."""
        await asyncio.sleep(self.initial_delay)
        good = bad = 0
        while True:
            complaint = await self._look()
            good, bad = (good + 1, 0) if complaint is None else (0, bad + 1)
            if complaint is None and good >= self.successes:
                on_success()
            if complaint is not None and bad >= self.failures:
                on_failure(complaint)
            await asyncio.sleep(self.period)

    async def _look(self) -> str | None:
        try:
            async with asyncio.timeout(self.timeout):
                return await self.check()
        except TimeoutError:
            return f"no answer within {self.timeout} s"


def _check(spec: Manifest, around: Surroundings) -> Check:
    if "httpGet" in spec:
        return lambda: _http(spec["httpGet"], around)
    if "tcpSocket" in spec:
        return lambda: _tcp(spec["tcpSocket"], around)
    if "exec" in spec:
        return lambda: _exec(spec["exec"], around)
    return lambda: _unknown(spec)


async def _http(spec: Manifest, around: Surroundings) -> str | None:
    port = around.ports.resolve(spec["port"])
    url = f"{spec.get('scheme', 'HTTP').lower()}://{LOOPBACK}:{port}{spec.get('path', '/')}"
    headers = {each["name"]: each["value"] for each in spec.get("httpHeaders", [])}
    try:
        answer = await around.http.get(url, headers=headers)
    except httpx.HTTPError as error:
        return f'Get "{url}": {error or type(error).__name__}'
    if 200 <= answer.status_code < 400:
        return None
    return f"HTTP probe failed with statuscode: {answer.status_code}"


async def _tcp(spec: Manifest, around: Surroundings) -> str | None:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, around.ports.resolve(spec["port"]))
    except OSError as error:
        return f"dial tcp: {error.strerror}"
    writer.close()
    return None


async def _exec(spec: Manifest, around: Surroundings) -> str | None:
    log = around.directory / "probe.log"
    log.unlink(missing_ok=True)
    try:
        process = await Process.start(spec["command"], around.env, around.directory, log)
    except CommandNotFound as error:
        return str(error)
    try:
        code = await process.wait()
    finally:
        process.kill()
        await process.wait()
    return None if code == 0 else f"exit code {code}: {log.read_text(errors='replace')[-1024:]}"


async def _unknown(spec: Manifest) -> str | None:
    return f"the local cluster knows no such probe: {', '.join(spec)}"
