"""What `fetch` has put below a model's root, over all versions: that, and nothing else, is its own.

A volume may hold other files, which nobody but their owner removes. ``.fetch/placed`` has a JSON
list of paths, each written down before anything is put there.
"""

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from proctor_runtime.sources.partial import NOTES


def keep_only(root: Path, wanted: Iterable[str]) -> None:
    """Remove what was placed and is not wanted; what is wanted may be placed from now on."""
    kept = set(wanted)
    for path in sorted(placed(root) - kept):
        remove(root, path)
    write_down(root, kept)


def place_also(root: Path, paths: Iterable[str]) -> None:
    """Write down what is about to be placed, besides what is already."""
    write_down(root, placed(root) | {*paths})


def placed(root: Path) -> set[str]:
    """Return the paths that were written down."""
    listing = root / NOTES / "placed"
    return set(json.loads(listing.read_text("utf-8"))) if listing.is_file() else set()


def write_down(root: Path, paths: set[str]) -> None:
    """Replace the list, at once: half of one would be none."""
    new = root / NOTES / "placed.new"
    new.parent.mkdir(parents=True, exist_ok=True)
    new.write_text(json.dumps(sorted(paths)), "utf-8")
    new.replace(root / NOTES / "placed")


def remove(root: Path, path: str) -> None:
    """Remove a file or a folder, the parts of it that are on their way, and folders left empty."""
    place = root / path
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    for left in (place, root / NOTES / f"{path}.partial", root / NOTES / f"{path}.notes"):
        left.unlink(missing_ok=True)
    with suppress(OSError):  # the first that is not empty, and so neither are those around it
        for folder in Path(path).parents[:-1]:
            (root / folder).rmdir()
