"""Files of one JSON object a line."""

import json
from pathlib import Path

from proctor_harness.harnesses import json_lines


def test_only_a_line_feed_ends_an_object(tmp_path: Path) -> None:
    rows = [{"text": "a\u2028b\u2029c\u0085d\x0be\rf"}, {"text": ""}]
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "rows").write_text("".join(lines), encoding="utf-8")
    assert list(json_lines.read(tmp_path / "rows")) == rows
