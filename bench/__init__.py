"""Measurements: each module has `measure() -> list[Measurement]`; `python -m bench` runs all."""

import os

from proctor_runtime import libraries

libraries.prepare(os.environ)
