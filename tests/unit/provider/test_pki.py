import base64
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.provider.pki import ADMIN, Certificate, issue, kubeconfig, server


def test_a_client_and_a_server_may_do_different_things() -> None:
    assert ADMIN.extensions == "extendedKeyUsage=clientAuth\n"
    names, usage = server("s", "10.0.0.1").extensions.splitlines()
    assert names.startswith("subjectAltName=IP:10.0.0.1,DNS:kubernetes,")
    assert usage == "extendedKeyUsage=serverAuth,clientAuth"


def test_kubeconfig_carries_its_certificates(tmp_path: Path) -> None:
    for name in ("ca.crt", "admin.crt", "admin.key"):
        (tmp_path / name).write_text(name)
    found = yaml.safe_load(kubeconfig(tmp_path, "admin", "https://127.0.0.1:1"))
    assert found["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1"
    key = found["users"][0]["user"]["client-key-data"]
    assert base64.b64decode(key) == b"admin.key"


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")
def test_certificates_are_the_authoritys(tmp_path: Path) -> None:
    issue(tmp_path / "pki", [ADMIN, Certificate("other", "/CN=other")])
    for name in ("admin", "other"):
        command = ["openssl", "verify", "-CAfile", "ca.crt", f"{name}.crt"]
        subprocess.run(command, cwd=tmp_path / "pki", check=True, capture_output=True)
