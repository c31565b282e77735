"""What `fetch` has put below a model's root, over all versions: that, and nothing else, is its own.

A volume may hold other files, which nobody but their owner removes. ``.fetch/placed`` has a JSON
list of the paths of files, each written down when it has arrived and before it is put there.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.partial import NOTES


def place(root: Path, model: Mapping[str, Path]) -> None:
    """Move a model's files from where they are to their paths; remove those of earlier versions."""
    before = placed(root)
    write_down(root, before | model.keys())
    for path in sorted(before - model.keys()):
        remove(root, path)
    for path, file in model.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        file.replace(root / path)
    write_down(root, {*model})


def refuse_blocked(root: Path, paths: Collection[str]) -> None:
    """Refuse a model whose files cannot be placed beside those that are not `fetch`'s own."""
    own = placed(root)
    for path in paths:
        for found in in_the_way(root, path):
            if found not in own:
                raise RejectedError(
                    Reason.CHECKPOINT_UNSUPPORTED,
                    f"the model's file {path!r} cannot be put on the volume at {root}, where"
                    f" {found!r}, which was not fetched, is in its way; move that elsewhere",
                )


def in_the_way(root: Path, path: str) -> Iterator[str]:
    """Yield what is no folder where `path` needs one, or what is in a folder that `path` names."""
    for folder in map(str, PurePosixPath(path).parents[:-1]):
        if (root / folder).exists() and not (root / folder).is_dir():
            yield folder
    if is_folder(root / path):
        found = [file.relative_to(root).as_posix() for file in files_below(root / path)]
        yield from found or [path]


def placed(root: Path) -> set[str]:
    """Return the paths that were written down."""
    listing = root / NOTES / "placed"
    return set(json.loads(listing.read_text("utf-8"))) if listing.is_file() else set()


def write_down(root: Path, paths: set[str]) -> None:
    """Replace the list, at once: half of one would be none."""
    new = root / NOTES / "placed.new"
    new.write_text(json.dumps(sorted(paths)), "utf-8")
    new.replace(root / NOTES / "placed")


def remove(root: Path, path: str) -> None:
    """Remove a file, and the folders that it leaves empty."""
    # Its owner may have made something else of it, or of a folder around it.
    with suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
        (root / path).unlink()
    with suppress(OSError):  # the first that is not empty, and so neither are those around it
        for folder in Path(path).parents[:-1]:
            (root / folder).rmdir()


def files_below(folder: Path) -> list[Path]:
    """List all that is no folder; a link is none, wherever it leads."""
    return [path for path in folder.rglob("*") if not is_folder(path)]


def is_folder(path: Path) -> bool:
    """Tell a folder from a link to one."""
    return path.is_dir() and not path.is_symlink()
