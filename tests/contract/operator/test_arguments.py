"""What the operator tells a serving pod, the server understands."""

from pathlib import Path

import pytest

from proctor_cli.local.variables import command_line, environment
from proctor_operator.cluster import Manifest
from proctor_runtime.engine.options import EngineOptions
from proctor_runtime.openai.options import ApiOptions
from proctor_runtime.settings import Settings, parse
from tests.contract.operator.golden import CASES, children

TEMPLATE = "{% for m in messages %}$(role) {{ m.role }}: {{ m.content }}\n{% endfor %}\n"
"""With what the kubelet would expand if nothing kept it from it."""


def server(case: Path) -> Manifest | None:
    """The container that serves, of a case that has one."""
    for child in children(case):
        for container in child["spec"].get("template", {}).get("spec", {}).get("containers", []):
            if container["name"] == "server":
                found: Manifest = container
                return found
    return None


SERVERS = {case.name: found for case in CASES if (found := server(case))}


def understood(name: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of the server, as the kubelet would start it."""
    variables = environment(SERVERS[name], {}, {}, lambda _: None)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    found = parse(command_line(SERVERS[name], variables)[3:])
    assert isinstance(found, Settings)
    return found


@pytest.mark.parametrize("name", SERVERS)
def test_every_argument_is_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert understood(name, monkeypatch).transport == "triton"


def test_what_is_not_set_is_the_servers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = understood("cpu-deployment", monkeypatch)
    assert (found.engine, found.api) == (EngineOptions(), ApiOptions())


def test_what_is_set_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    found = understood("deployment-with-every-setting", monkeypatch)
    assert found.engine == EngineOptions(
        max_batch_size=64, kv_cache_gib=40.0, chunked_prefill=False, flash_decode=False
    )
    assert found.api == ApiOptions(
        tool_call_parser="hermes",
        reasoning_parser="think",
        max_queued_requests=1024,
        max_body_bytes=8388608,
        chat_template=TEMPLATE,
    )
