"""The reference scores: lm-eval's own in-process `hf` on the converted weights.

    python -m demo.reference [--model FOLDER] [--check]

No part of Proctor is in this path but the reading of the checkpoint, so scores that
come through an EvaluationRun can be held against these.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from demo import ARITHMETIC
from demo.scores import TASKS, Scores, differences, scores
from demo.to_hugging_face import convert


def reference_scores(folder: Path) -> Scores:
    """Convert the model of `folder` and evaluate it, offline and in a scratch folder."""
    with tempfile.TemporaryDirectory(prefix="demo-reference-") as scratch:
        weights = Path(scratch) / "hugging-face"
        convert(folder / "checkpoint", folder / "tokenizer", weights)
        return evaluate(weights, folder / "tasks", Path(scratch))


def evaluate(weights: Path, tasks: Path, scratch: Path) -> Scores:
    """Run stock lm-eval in a process of its own."""
    offline = {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(scratch / "hugging-face-home"),
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": "",
    }
    subprocess.run(  # noqa: S603 - the arguments are ours
        command(weights, scratch / "output"),
        cwd=tasks,
        env=os.environ | offline,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (report,) = (scratch / "output").rglob("results_*.json")
    return scores(json.loads(report.read_text()))


def command(weights: Path, output: Path) -> list[str]:
    """Return lm-eval's command line; it must run in the folder of the tasks."""
    run = [sys.executable, "-m", "lm_eval", "run", "--model", "hf"]
    run += ["--model_args", f"pretrained={weights},dtype=float32"]
    run += ["--tasks", ",".join(TASKS), "--include_path", "."]
    return [*run, "--batch_size", "16", "--device", "cpu", "--output_path", str(output)]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure the demonstration's reference scores.")
    parser.add_argument("--model", type=Path, default=ARITHMETIC, help="as demo.train made it")
    parser.add_argument("--check", action="store_true", help="compare with the stored ones instead")
    given = parser.parse_args()
    stored = given.model / "reference.json"
    measured = reference_scores(given.model.resolve())
    print(json.dumps(measured, indent=2))
    if not given.check:
        stored.write_text(json.dumps(measured, indent=2) + "\n")
    elif wrong := differences(measured, json.loads(stored.read_text()), 1e-6):
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
