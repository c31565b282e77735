"""What lies on the tests' claim: the demo model, and the same with something wrong."""

import shutil
from pathlib import Path

MODEL = Path("demo/arithmetic")
CRASHING = '''"""A metric that breaks at the hundredth sample."""


def process_results(doc, results):
    """Score the samples of a task until one cannot be scored."""
    process_results.scored = getattr(process_results, "scored", 0) + 1
    return {"acc": 1 / (100 - process_results.scored) >= 0}
'''


def stage(folder: Path) -> Path:
    """Fill `folder`: `checkpoint tokenizer tasks`, and `truncated` and `crashing` beside them."""
    shutil.copytree(MODEL, folder)
    truncated = folder / "truncated"
    shutil.copytree(folder / "checkpoint", truncated)
    shard = next(truncated.glob("iter_*/__0_0.distcp"))
    shard.write_bytes(shard.read_bytes()[:1000])
    crashing = folder / "crashing"
    shutil.copytree(folder / "tasks", crashing)
    (crashing / "breaks.py").write_text(CRASHING)
    task = crashing / "arithmetic_mc.yaml"
    only_accuracy = task.read_text().replace("metric: acc_norm", "metric: acc")
    task.write_text(only_accuracy + "process_results: !function breaks.process_results\n")
    return folder
