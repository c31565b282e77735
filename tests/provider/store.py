"""buildah, on a store of our own: removing the cache removes everything that it made."""

from pathlib import Path

from tests.provider import packages
from tests.provider.commands import run, stream
from tests.provider.errors import FailedError
from tests.provider.paths import image_store


def qualified(name: str) -> str:
    """`proctor/runtime:1` is `docker.io/proctor/runtime:1`, as in a pod's `image`."""
    first, _, rest = name.partition("/")
    if not rest:
        return f"docker.io/library/{name}"
    if first == "localhost" or "." in first or ":" in first:
        return name
    return f"docker.io/{name}"


def buildah(*arguments: str | Path) -> str:
    """Run buildah quietly; returns what it prints."""
    return run(*_command(), *arguments)


def buildah_shown(*arguments: str | Path) -> None:
    """Run buildah, letting a person watch."""
    stream(*_command(), *arguments)


def image_id(name: str) -> str | None:
    """The digest of the image's configuration; None where the store has no such image."""
    form = "{{.FromImageID}}"
    try:
        return buildah("inspect", "--type", "image", "--format", form, qualified(name)).strip()
    except FailedError:
        return None


def build(name: str, dockerfile: Path, context: Path, *options: str) -> None:
    """Build from a Dockerfile, reusing the layers of earlier builds.

    The isolation is chroot: others make bridges and turn on forwarding on the machine itself.
    """
    fixed = ("--isolation=chroot", "--layers", "--tag", qualified(name), "--file", dockerfile)
    buildah_shown("bud", *fixed, *options, context)


def _command() -> list[str | Path]:
    packages.ensure(packages.IMAGES)
    store, scratch = image_store() / "buildah", image_store() / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    # There buildah keeps what a Dockerfile mounts with type=cache.
    begin = ["env", f"TMPDIR={scratch}", "buildah", f"--root={store}"]
    return [*begin, f"--runroot={store / 'run'}", "--storage-driver=overlay"]
