import json
from pathlib import Path
from typing import Any

import pytest

from proctor_runtime.checkpoints.vocabulary import count_tokens

BPE = {"type": "BPE", "vocab": {"a": 0, "b": 1}}


@pytest.mark.parametrize(
    ("tokenizer", "tokens"),
    [
        ({"model": BPE}, 2),
        ({"model": BPE, "added_tokens": [{"id": 5, "content": "<end>"}]}, 6),
        ({"model": {"vocab": [["a", 0.0], ["b", -1.0], ["c", -2.0]]}}, 3),
        ({"model": {"vocab": {}}}, None),
        ({"model": {}}, None),
        ([], None),
    ],
    ids=["table", "added beyond a gap", "list of pieces", "empty", "no vocabulary", "no object"],
)
def test_tokens_are_counted_to_the_last(tmp_path: Path, tokenizer: Any, tokens: int | None) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert count_tokens(tmp_path) == tokens


def test_a_tokenizer_of_another_kind_is_not_counted(tmp_path: Path) -> None:
    assert count_tokens(tmp_path) is None
