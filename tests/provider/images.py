"""Building images: with Docker where it runs, else with buildah and no daemon."""

import tempfile
from pathlib import Path

from tests.provider import base_image, kind, machine_settings, store
from tests.provider.commands import stream


def build(name: str, dockerfile: Path, context: Path) -> None:
    """Build an image from a Dockerfile; layers of earlier builds are reused."""
    if kind.docker_answers():
        stream("docker", "build", "--tag", name, "--file", dockerfile, context)
        return
    base_image.ensure()
    with tempfile.TemporaryDirectory() as scratch:
        store.build(name, dockerfile, context, *machine_settings.mounts(Path(scratch)))
