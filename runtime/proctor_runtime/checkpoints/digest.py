"""A checkpoint's identity: equal digests mean equal bytes."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def digest_files(root: Path, files: Iterable[Path]) -> str:
    """Hash every file with its path relative to `root`, in a fixed order."""
    whole = hashlib.sha256()
    for path in sorted(files):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256")
        whole.update(path.relative_to(root).as_posix().encode() + b"\0" + content.digest())
    return f"sha256:{whole.hexdigest()}"


def files_below(folder: Path) -> list[Path]:
    """List the files below `folder`, but for what hidden folders hold: a download's notes, say."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return [
        p for p in found if not any(is_hidden(name) for name in p.relative_to(folder).parts[:-1])
    ]


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is hidden by its name."""
    return name.startswith(".")
