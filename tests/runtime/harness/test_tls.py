"""A target behind TLS, whose certificate is believed only if its authority is."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.provider import pki
from tests.runtime.harness.model_server import ModelServer, serving
from tests.runtime.harness.processes import adapter

COMPLETION = {"model": "m", "prompt": "Q: 1+2\nA:", "max_tokens": 4}


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make certificates with")
    directory = tmp_path / "pki"
    pki.issue(directory, [pki.server("model", "127.0.0.1")])
    return directory


@pytest.fixture
def model(certificates: Path) -> Iterator[ModelServer]:
    key, certificate = certificates / "model.key", certificates / "model.crt"
    with serving(ModelServer(), ssl_keyfile=key, ssl_certfile=certificate) as state:
        yield state


def test_a_target_is_asked_over_tls(model: ModelServer, certificates: Path, tmp_path: Path) -> None:
    trusted = {"SSL_CERT_FILE": str(certificates / "ca.crt"), "API_KEY": "sk-secret"}
    with adapter(model.url, tmp_path / "artifacts", **trusted) as process:
        for _ in range(3):
            answer = httpx.post(f"{process.url}/v1/completions", json=COMPLETION)
            assert answer.status_code == 200
    assert model.headers[0]["authorization"] == "Bearer sk-secret"


def test_a_stranger_does_not_get_the_key(model: ModelServer, tmp_path: Path) -> None:
    with adapter(model.url, tmp_path / "artifacts", API_KEY="sk-secret") as process:
        answer = httpx.post(f"{process.url}/v1/completions", json=COMPLETION)
    assert answer.status_code == 502
    assert "certificate" in answer.json()["error"]["message"].lower()
    assert model.headers == []
