"""The two images that a node cannot be without: pause, in every pod, and CoreDNS."""

import shutil
import tempfile
from pathlib import Path

from tests.provider import registry, store
from tests.provider.binaries import MODULE_OF, binary
from tests.provider.paths import HERE

PROGRAMS = ("pause", "coredns")


def tag(program: str) -> str:
    """A new program is a new tag: what is in the registry is never stale."""
    return MODULE_OF[program].version


def push() -> None:
    """Make them and put them into the registry, once."""
    for program in PROGRAMS:
        name = f"proctor/{program}:{tag(program)}"
        if registry.image_id(name) is None:
            _build(program, name)
            registry.push(name)


def _build(program: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as context:
        shutil.copy(binary(program), context)
        store.build(name, HERE / "system_image_files" / f"{program}.Dockerfile", Path(context))
