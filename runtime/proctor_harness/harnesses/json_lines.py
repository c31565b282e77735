"""Files of one JSON object a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The objects; only a line feed ends one, for a text may hold what else divides lines."""
    with path.open(encoding="utf-8", newline="\n") as file:
        yield from map(json.loads, file)
