"""How many tokens a tokenizer has, without loading it."""

import json
from pathlib import Path
from typing import Any


def count_tokens(folder: Path) -> int | None:
    """Count the tokens of a ``tokenizer.json``; None if there is none that can be read."""
    try:
        tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        ids = [*model_ids(tokenizer["model"]["vocab"])]
        ids += [token["id"] for token in tokenizer.get("added_tokens", ())]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return max(ids, default=-1) + 1 or None


def model_ids(vocabulary: Any) -> list[int]:
    """List the ids: BPE and WordPiece have a table of them, Unigram a list of pieces."""
    if isinstance(vocabulary, list):
        return list(range(len(vocabulary)))
    return [int(number) for number in vocabulary.values()]
