"""`python -m bench`: run every measurement, write bench/results.json, append bench/history.csv."""

import csv
import json
from pathlib import Path

from bench import (
    adapter,
    apply_to_job,
    loglikelihood_http,
    serving_generation,
    serving_layers,
    serving_scoring,
)

MODULES = (
    apply_to_job,
    adapter,
    serving_layers,
    serving_generation,
    serving_scoring,
    loglikelihood_http,
)
HERE = Path(__file__).parent


def main() -> None:
    """Measure everything."""
    records = [found.record() for module in MODULES for found in module.measure()]
    (HERE / "results.json").write_text(json.dumps(records, indent=2) + "\n")
    history = HERE / "history.csv"
    new = not history.exists()
    with history.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(records[0]))
        if new:
            writer.writeheader()
        writer.writerows(records)
    print(json.dumps(records, indent=2))


if __name__ == "__main__":
    main()
