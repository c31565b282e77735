"""How this machine reaches package indexes, lent to builds: mounted, so no layer holds it."""

import configparser
import os
import ssl
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "default-timeout")


def mounts(scratch: Path) -> list[str]:
    """buildah's options; the files that are made for them lie in `scratch`."""
    (scratch / "pip.conf").write_text(pip_configuration(os.environ, _pip_files(os.environ)))
    (scratch / "uv.toml").write_text(uv_configuration(os.environ))
    targets = {scratch / "pip.conf": "/etc/pip.conf", scratch / "uv.toml": "/etc/uv/uv.toml"}
    if bundle := certificate_bundle(os.environ):
        targets[bundle] = BUNDLE
    return [f"--volume={source}:{target}:ro" for source, target in targets.items()]


def certificate_bundle(environment: Mapping[str, str]) -> Path | None:
    """The authorities that this machine trusts."""
    named = (environment.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, BUNDLE)
    return next((Path(each) for each in named if each and Path(each).exists()), None)


def pip_configuration(environment: Mapping[str, str], files: list[Path]) -> str:
    """pip's own files and variables, with the certificates where the image has them."""
    parser = configparser.RawConfigParser()
    parser.read(files)
    if not parser.has_section("global"):
        parser.add_section("global")
    for option in _PIP_OPTIONS:
        if value := environment.get("PIP_" + option.upper().replace("-", "_")):
            parser.set("global", option, value)
    parser.set("global", "cert", BUNDLE)
    text = StringIO()
    parser.write(text)
    return text.getvalue()


def uv_configuration(environment: Mapping[str, str]) -> str:
    """uv brings its own authorities unless it is told to use the system's."""
    index = environment.get("UV_DEFAULT_INDEX") or environment.get("PIP_INDEX_URL")
    line = f'[[index]]\nurl = "{index}"\ndefault = true\n' if index else ""
    return f"system-certs = true\n{line}"


def _pip_files(environment: Mapping[str, str]) -> list[Path]:
    given = environment.get("PIP_CONFIG_FILE")
    home = Path.home()
    files = [Path("/etc/pip.conf"), home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    return [*files, Path(given)] if given else files
