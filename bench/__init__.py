"""Measurements: each module has `measure() -> list[Measurement]`; `python -m bench` runs all."""
