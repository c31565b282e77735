"""`python:3.11-slim`, made on this machine where no registry can be reached."""

import hashlib
import platform
import shutil
import tempfile
from pathlib import Path

from tests.provider import interpreter, store
from tests.provider.commands import run
from tests.provider.errors import FailedError
from tests.provider.locking import locked
from tests.provider.paths import PROJECT, image_store

NAME = "docker.io/library/python:3.11-slim"
_SOURCE = PROJECT / "images" / "base-python"
_LABEL = "dev.proctor.made-from"
# What debootstrap leaves for its next run.
_LEFT_OUT = ("./var/cache/apt/*", "./var/lib/apt/lists/*", "./var/log/*", "./dev/*", "./proc/*")


def ensure() -> None:
    """Have the image in the store, made from the present recipe and interpreter."""
    python = interpreter.find()
    recipe = "".join(path.read_text() for path in sorted(_SOURCE.iterdir()))
    made_from = hashlib.sha256(f"{recipe}{python}".encode()).hexdigest()
    with locked(image_store() / "base.lock"):
        if _label() != made_from:
            _make(python, made_from)


def _label() -> str | None:
    form = f'{{{{index .OCIv1.Config.Labels "{_LABEL}"}}}}'
    try:
        return store.buildah("inspect", "--type", "image", "--format", form, NAME).strip()
    except FailedError:
        return None


def _make(python: interpreter.Interpreter, made_from: str) -> None:
    with tempfile.TemporaryDirectory(dir=image_store()) as folder:
        context = Path(folder)
        shutil.copy(_debian(), context / "root.tar")
        interpreter.copy(python, context / "usrlocal")
        label = f"--label={_LABEL}={made_from}"
        store.build(NAME, _SOURCE / "Dockerfile", context, label)


def _debian() -> Path:
    """A minimal Debian of this machine's release: CPython was linked with its libraries."""
    packages = ",".join((_SOURCE / "packages.txt").read_text().split())
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "bookworm")
    digest = hashlib.sha256(packages.encode()).hexdigest()[:12]
    archive = image_store() / f"{suite}-{digest}.tar"
    if not archive.exists():
        with tempfile.TemporaryDirectory(dir=image_store()) as folder:
            root, packed = Path(folder) / "root", Path(folder) / "root.tar"
            run("debootstrap", "--variant=minbase", f"--include={packages}", suite, root)
            left_out = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
            run("tar", "--create", f"--file={packed}", f"--directory={root}", *left_out, ".")
            packed.replace(archive)
    return archive
