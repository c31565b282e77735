"""The node's registry: what is in it, and how it gets there."""

import hashlib
import json

from tests.provider import store, web
from tests.provider.network import REGISTRY

_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)


def repository_and_tag(name: str) -> tuple[str, str]:
    """Where an image lies in the registry: `docker.io/proctor/runtime:1` at proctor/runtime, 1."""
    _, _, path = store.qualified(name).partition("/")
    repository, _, tag = path.rpartition(":")
    return (repository, tag) if repository else (path, "latest")


def answers() -> bool:
    """Whether the registry serves."""
    return _get("") is not None


def image_id(name: str) -> str | None:
    """The digest of the configuration of the image under this name; None where there is none."""
    if (manifest := _manifest(name)) is None:
        return None
    digest: str = json.loads(manifest)["config"]["digest"]
    return digest.removeprefix("sha256:")


def manifest_digest(name: str) -> str:
    """By what the node knows the image once it has pulled it."""
    return f"sha256:{hashlib.sha256(_manifest(name) or b'').hexdigest()}"


def push(name: str) -> None:
    """Put the store's image into the registry, where it is not there already.

    buildah compresses whatever goes to a registry. zstd at its quickest does gigabytes in the time
    that gzip needs for hundreds of megabytes, on both ends.
    """
    if image_id(name) == store.image_id(name):
        return
    repository, tag = repository_and_tag(name)
    target = f"docker://{REGISTRY}/{repository}:{tag}"
    quick = ("--compression-format=zstd", "--compression-level=1")
    store.buildah("push", "--quiet", "--tls-verify=false", *quick, store.qualified(name), target)


def _manifest(name: str) -> bytes | None:
    repository, tag = repository_and_tag(name)
    return _get(f"{repository}/manifests/{tag}")


def _get(path: str) -> bytes | None:
    return web.get(f"http://{REGISTRY}/v2/{path}", accept=_MANIFESTS)
