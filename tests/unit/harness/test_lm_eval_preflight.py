"""What lm-eval's own task manager says before anything is asked."""

import json
from pathlib import Path

from proctor_harness.harnesses.lm_eval_preflight import Asked, inspect


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    task = {
        "task": "lost",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "nowhere.jsonl")}},
        "output_type": "generate_until",
        "test_split": "test",
        "doc_to_text": "{{q}}",
        "doc_to_target": "{{a}}",
    }
    (tmp_path / "lost.yaml").write_text(json.dumps(task))
    failure = inspect(["lost"], str(tmp_path), Asked(), "completions").failure
    assert failure
    assert failure.reason == "PreflightFailed"
    assert "nowhere.jsonl" in failure.message
