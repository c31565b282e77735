"""Make the demonstration: train the model and write what is served and what is asked.

    python -m demo.train [--out FOLDER] [--seed NUMBER]

The folder is laid out as a model volume: `checkpoint/`, `tokenizer/`, `tasks/`.
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from demo import ARITHMETIC
from demo.architecture import arguments
from demo.single_process import single_process
from demo.tasks import save_tasks
from demo.tokenizer import save_tokenizer
from demo.training import STEPS, train
from proctor_runtime.checkpoints import megatron


def make(out: Path, seed: int) -> None:
    """Write the whole folder; what it held of these parts before is replaced."""
    settings = arguments(seed)
    save_tasks(out / "tasks")
    tokenizer = save_tokenizer(out / "tokenizer", settings.max_position_embeddings)
    with single_process():
        model = train(settings, tokenizer, print_progress)
        shutil.rmtree(out / "checkpoint", ignore_errors=True)
        megatron.save(model, settings, out / "checkpoint", iteration=STEPS)


def print_progress(step: int, loss: float) -> None:
    """Print every fiftieth step."""
    if step % 50 == 0:
        print(f"step {step}/{STEPS}: loss {loss:.3f}", file=sys.stderr, flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Make the demonstration's model and tasks.")
    parser.add_argument("--out", type=Path, default=ARITHMETIC, help="the folder to fill")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the data")
    given = parser.parse_args()
    # The same model whether or not there is a GPU.
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    started, cpu_started = time.perf_counter(), time.process_time()
    make(given.out, given.seed)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    print(f"made {given.out} in {seconds:.0f} s ({cpu:.0f} s of CPU time)", file=sys.stderr)


if __name__ == "__main__":
    main()
