"""Images, as virtual environments: `proctor/<component>:<version>` made by uv on first use."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from proctor_cli.local.environment_build import EXTRAS, BuildFailed, Distribution, build
from proctor_cli.local.spawn import bounded

Progress = Callable[[str], None]


class ImageUnavailable(Exception):  # noqa: N818  named as a person would say it
    """There is no such image here, or it could not be made."""


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter with the image's packages."""

    image_id: str
    python: Path
    library_directory: str

    def variables(self) -> dict[str, str]:
        """What an image's `ENV` holds. Nothing else of our own environment reaches a container.

        pytritonserver's Python back-end loads libpython by name. It must be the interpreter's very
        own: with another patch release, which the loader may find first on a machine with several
        Pythons, the model fails to load after half a minute. So its directory leads the search.
        """
        return {
            "PATH": os.pathsep.join([str(self.python.parent), os.environ.get("PATH", os.defpath)]),
            "LD_LIBRARY_PATH": self.library_directory,
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
        }


class Environments:
    """Finds an image's environment, making it if need be.

    `given` maps an image, with or without its tag, to an interpreter that serves for it.
    """

    def __init__(self, given: Mapping[str, Path], cache: Path, progress: Progress) -> None:
        self._given = given
        self._cache = cache
        self._progress = progress
        self._distribution = Distribution.installed()
        self._found: dict[str, Environment] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def pull(self, image: str) -> Environment:
        """The environment of `image`; raises `ImageUnavailable`."""
        async with self._locks.setdefault(image, asyncio.Lock()):
            if image not in self._found:
                self._found[image] = await self._make(image)
            return self._found[image]

    def known(self) -> list[str]:
        """Every image that can be had here."""
        own = {f"proctor/{name}:{self._distribution.version}" for name in EXTRAS}
        return sorted(own | self._given.keys())

    async def _make(self, image: str) -> Environment:
        given = self._given.get(image) or self._given.get(_without_tag(image))
        if given:
            return Environment(image, Path(given), await _library_directory(Path(given)))
        python, digest = await self._build(image)
        return Environment(f"{image}@{digest}", python, await _library_directory(python))

    async def _build(self, image: str) -> tuple[Path, str]:
        """The interpreter, and a digest of all that the environment was made from."""
        component = _without_tag(image).rpartition("/")[2]
        own = f"proctor/{component}:{self._distribution.version}"
        if component not in EXTRAS or not (image == own or image.endswith(f"/{own}")):
            choices = ", ".join(self.known())
            raise ImageUnavailable(f'"{image}": not found; images of this machine: {choices}')
        try:
            python = await build(component, self._distribution, self._cache, self._progress)
        except BuildFailed as error:
            raise ImageUnavailable(f'"{image}": {error}') from error
        return python, f"sha256:{self._distribution.fingerprint(component)}"


def default_cache() -> Path:
    """Where environments are kept between runs: $PROCTOR_CACHE, else ~/.cache/proctor."""
    return Path(os.environ.get("PROCTOR_CACHE") or Path.home() / ".cache" / "proctor")


def _without_tag(image: str) -> str:
    repository, _, last = image.rpartition("/")
    name = last.partition("@")[0].partition(":")[0]
    return f"{repository}/{name}" if repository else name


async def _library_directory(python: Path) -> str:
    asked = "import sysconfig; print(sysconfig.get_config_var('LIBDIR') or '')"
    try:
        async with bounded(python, "-I", "-c", asked, stdout=asyncio.subprocess.PIPE) as process:
            answer, _ = await process.communicate()
    except OSError as error:
        raise ImageUnavailable(f"{python}: {error.strerror}") from error
    if process.returncode:
        raise ImageUnavailable(f"{python} is no working Python interpreter")
    return answer.decode().strip()
