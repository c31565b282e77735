"""Certificates and kubeconfigs of one cluster."""

import base64
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.provider.commands import run
from tests.provider.templates import render

_DAYS = "365"
# An elliptic key takes no measurable time to make; nine RSA keys take seconds.
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Certificate:
    """What openssl is asked for. Kubernetes takes CN as the user and O as its group."""

    name: str
    subject: str
    alternatives: str = ""
    """Names of a server; empty for a client."""

    @property
    def extensions(self) -> str:
        """openssl's extension file."""
        if self.alternatives:
            return f"subjectAltName={self.alternatives}\nextendedKeyUsage=serverAuth,clientAuth\n"
        return "extendedKeyUsage=clientAuth\n"


ADMIN = Certificate("admin", "/CN=admin/O=system:masters")


def server(name: str, *addresses: str) -> Certificate:
    """A serving certificate for IP addresses, and for the name under which pods know it."""
    names = [f"IP:{address}" for address in addresses]
    names += [f"DNS:kubernetes{suffix}" for suffix in ("", ".default", ".default.svc")]
    return Certificate(name, f"/CN={name}", ",".join(names))


def issue(directory: Path, certificates: Sequence[Certificate]) -> None:
    """A new authority, its certificates, and the key pair that signs service accounts' tokens."""
    work = directory.with_suffix(".partial")
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)
    work.mkdir(parents=True)
    ca = ("-keyout", "ca.key", "-out", "ca.crt", "-days", _DAYS, "-subj", "/CN=proctor-test")
    run("openssl", "req", "-x509", *_NEW_KEY, *ca, cwd=work)
    run(
        "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key", cwd=work
    )
    run("openssl", "ec", "-in", "sa.key", "-pubout", "-out", "sa.pub", cwd=work)
    for certificate in certificates:
        _sign(work, certificate)
    work.replace(directory)  # whole or not at all


def _sign(directory: Path, certificate: Certificate) -> None:
    name = certificate.name
    (directory / f"{name}.ext").write_text(certificate.extensions)
    request = ("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", certificate.subject)
    run("openssl", "req", *_NEW_KEY, *request, cwd=directory)
    authority = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", _DAYS)
    files = ("-in", f"{name}.csr", "-out", f"{name}.crt", "-extfile", f"{name}.ext")
    run("openssl", "x509", "-req", *files, *authority, cwd=directory)


def kubeconfig(directory: Path, name: str, url: str) -> str:
    """A kubeconfig that carries its certificates, for the client certificate `name`."""
    encoded = {
        key: base64.b64encode((directory / file).read_bytes()).decode()
        for key, file in (
            ("authority", "ca.crt"),
            ("certificate", f"{name}.crt"),
            ("key", f"{name}.key"),
        )
    }
    return render("kubeconfig.yaml", server=url, **encoded)
