import configparser
from pathlib import Path

import pytest

from tests.provider import interpreter, machine_settings
from tests.provider.errors import UnavailableError
from tests.provider.interpreter import Interpreter
from tests.provider.registry import repository_and_tag
from tests.provider.store import qualified


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("python:3.11-slim", "docker.io/library/python:3.11-slim"),
        ("proctor/runtime:0.1.0", "docker.io/proctor/runtime:0.1.0"),
        ("docker.io/proctor/runtime:1", "docker.io/proctor/runtime:1"),
        ("localhost/x:1", "localhost/x:1"),
        ("10.0.0.1:5000/x:1", "10.0.0.1:5000/x:1"),
    ],
)
def test_a_name_means_what_it_means_in_a_pod(name: str, whole: str) -> None:
    assert qualified(name) == whole


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("python:3.11-slim", ("library/python", "3.11-slim")),
        ("proctor/runtime:0.1.0", ("proctor/runtime", "0.1.0")),
        ("proctor/runtime", ("proctor/runtime", "latest")),
    ],
)
def test_where_an_image_lies_in_the_registry(name: str, place: tuple[str, str]) -> None:
    assert repository_and_tag(name) == place


GOOD = Interpreter("/opt/python", "3.11.9 (main)", "3.11", shared=True)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Interpreter("/usr", "3.11.2", "3.11", shared=True), id="Debian's own"),
        pytest.param(Interpreter("/a", "3.11.9", "3.11", shared=False), id="no libpython"),
        pytest.param(Interpreter("/b", "3.12.1", "3.12", shared=True), id="another minor version"),
    ],
)
def test_an_interpreter_that_does_not_fit_is_passed_over(other: Interpreter) -> None:
    assert interpreter.choose([other, GOOD]) == GOOD
    with pytest.raises(UnavailableError, match=f"seen: {other.prefix}"):
        interpreter.choose([other])


def test_pip_configuration_is_the_machines_with_the_images_certificates(tmp_path: Path) -> None:
    given = tmp_path / "pip.conf"
    given.write_text("[global]\ncert = /mine.pem\ntimeout = 7\n")
    environment = {"PIP_INDEX_URL": "https://index.example/simple", "PIP_FIND_LINKS": "/wheels"}
    parser = configparser.RawConfigParser()
    parser.read_string(machine_settings.pip_configuration(environment, [given]))
    assert dict(parser["global"]) == {
        "cert": machine_settings.BUNDLE,
        "timeout": "7",
        "index-url": "https://index.example/simple",
    }


def test_certificates_that_the_environment_names_come_first(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    assert machine_settings.certificate_bundle({"SSL_CERT_FILE": str(bundle)}) == bundle


def test_uv_uses_the_same_index() -> None:
    text = machine_settings.uv_configuration({"PIP_INDEX_URL": "https://index.example/simple"})
    assert 'url = "https://index.example/simple"' in text
    assert "[[index]]" not in machine_settings.uv_configuration({})
