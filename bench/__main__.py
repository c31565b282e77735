"""`python -m bench`: run the measurements, write bench/results.json, append bench/history.csv.

`python -m bench serving_scoring adapter` runs those of these modules alone; of the others,
results.json keeps what it has.
"""

import csv
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

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


def main(names: Collection[str]) -> None:
    """Measure everything, or what the modules of these names measure."""
    known = {module.__name__.rpartition(".")[2]: module for module in MODULES}
    if unknown := set(names) - set(known):
        raise SystemExit(f"{', '.join(unknown)}: choose of {', '.join(known)}")
    measured = [
        found.record()
        for name, module in known.items()
        if not names or name in names
        for found in module.measure()
    ]
    history = HERE / "history.csv"
    new = not history.exists()
    with history.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(measured[0]))
        if new:
            writer.writeheader()
        writer.writerows(measured)
    results = HERE / "results.json"
    kept = json.loads(results.read_text()) if names else []
    results.write_text(json.dumps(replaced(kept, measured), indent=2) + "\n")
    print(json.dumps(measured, indent=2))


def replaced(
    kept: Collection[dict[str, Any]], measured: Collection[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The records, of which those that were measured anew are in the places of the old ones."""
    return list({record["name"]: record for record in (*kept, *measured)}.values())


if __name__ == "__main__":
    main(sys.argv[1:])
