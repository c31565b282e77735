"""A checkpoint's identity: equal digests mean equal bytes."""

import hashlib
from pathlib import Path


def digest_folder(folder: Path) -> str:
    """Hash every file below `folder` with its relative path, in a fixed order."""
    whole = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256")
        whole.update(path.relative_to(folder).as_posix().encode() + b"\0" + content.digest())
    return f"sha256:{whole.hexdigest()}"
