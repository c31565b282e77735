"""What the golden reports do not show of items: answers that are missing, and odd ones."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from proctor_harness.harnesses import HARNESSES

Row = Mapping[str, Any]


def table(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def jsonl(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def test_wildguard_is_not_asked_about_what_pandas_takes_for_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "wildguard"
    answers = ["no", "", "None", "yes"]
    table(folder / "output.csv", [{"prompt": "?", "model_output": text} for text in answers])
    verdict = "wildguard_response_safety_classification"
    jsonl(folder / "report.json", [{verdict: "safe"}, {verdict: "unsafe"}])
    (folder / "metrics.json").write_text('{"safe": 1, "unsafe": 1, "empty_responses": 2}')
    found = HARNESSES["safety-harness"].items(tmp_path)
    assert [(i.sample, i.value, i.extraction_failure) for i in found] == [
        ("0", 1.0, False),
        ("1", 0.0, True),
        ("2", 0.0, True),
        ("3", 0.0, False),
    ]


def test_what_was_unsafe_with_its_reasoning_has_the_verdict_without(tmp_path: Path) -> None:
    folder = tmp_path / "aegis_v2_reasoning"
    first = [
        ("a</think>b", "safe"),
        ("a", "unsafe"),  # whose reasoning did not end
        ("c</think>d", "unsafe"),
        ("e</think>f", "unsafe"),
        ("g</think>h", "unsafe"),
        ("i</think>j", "ERROR"),
    ]
    rows = [{"model_output": text, "Response Safety": verdict} for text, verdict in first]
    table(folder / "output.csv", rows)
    again = [
        rows[n] | {"Response Safety": v} for n, v in ((2, "safe"), (3, "ERROR"), (4, "unsafe"))
    ]
    table(folder / "output_unsafe.csv", again)
    (folder / "metrics.json").write_text('{"safe": 2.0, "unsafe": 1.0}')
    found = HARNESSES["safety-harness"].items(tmp_path)
    assert [(i.sample, i.value) for i in found] == [("0", 1.0), ("2", 1.0), ("4", 0.0)]


def test_a_prompt_that_is_asked_twice_is_two_samples(tmp_path: Path) -> None:
    folder = tmp_path / "compliance"
    asked = "...\nPrompt-response pair to evaluate:\n" + json.dumps({"prompt": "ask"})
    verdicts = ["COMPLIANT", "BORDERLINE", None]
    told = [{"prompt": asked, "compliance_evaluation": {"overall_compliance": v}} for v in verdicts]
    jsonl(folder / "compliance_result.jsonl", told)
    (folder / "metrics.json").write_text('{"compliance": 50.0}')
    found = HARNESSES["safety-harness"].items(tmp_path)
    assert [i.value for i in found] == [100.0, 50.0, 0.0]
    assert len({i.sample for i in found}) == 3
    assert [i.extraction_failure for i in found] == [False, False, True]


def test_garak_s_unnumbered_prompts_are_known_by_what_they_say(tmp_path: Path) -> None:
    def attempt(prompt: str, scores: list[float | None], uuid: str) -> Row:
        told = {"entry_type": "attempt", "status": 2, "probe_classname": "p.P", "seq": None}
        return told | {"uuid": uuid, "prompt": prompt, "detector_results": {"d": scores}}

    jsonl(tmp_path / "p.report.jsonl", [attempt("x", [0.0, None], "1"), attempt("y", [1.0], "2")])
    first = HARNESSES["garak"].items(tmp_path)
    jsonl(tmp_path / "p.report.jsonl", [attempt("y", [1.0], "3"), attempt("x", [0.0, None], "4")])
    again = HARNESSES["garak"].items(tmp_path)
    assert {(i.sample, i.group, i.value) for i in first} == {
        (i.sample, i.group, i.value) for i in again
    }
    assert sorted(i.value for i in first) == [0.0, 1.0]


def test_a_container_tells_of_no_sample(tmp_path: Path) -> None:
    assert HARNESSES["container"].items(tmp_path) == []
