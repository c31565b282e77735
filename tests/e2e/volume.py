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
HUNGRY = '''"""A task that takes a gibibyte when three hundred of its questions are answered."""

import json
import os
import threading
import time
from urllib.request import urlopen

PROGRESS = f"http://127.0.0.1:{os.environ['PORT_ADAPTER']}/progress"


def process_docs(docs):
    """Leave the samples as they are, and watch."""
    threading.Thread(target=grow, daemon=True).start()
    return docs


def grow():
    """Wait for the answers, then write to more memory than a small limit allows."""
    while json.load(urlopen(PROGRESS))["done"] < 300:
        time.sleep(0.2)
    process_docs.taken = bytearray(b"x") * (1 << 30)
'''


def stage(folder: Path) -> Path:
    """Fill `folder`: `checkpoint tokenizer tasks`, and and beside them what is wrong."""
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
    hungry = folder / "hungry"
    shutil.copytree(folder / "tasks", hungry)
    (hungry / "memory.py").write_text(HUNGRY)
    with (hungry / "arithmetic_mc.yaml").open("a") as task:
        task.write("process_docs: !function memory.process_docs\n")
    return folder
