"""What several arguments of the command line have in common: how their values are read."""

import argparse
import math


def positive(text: str) -> int:
    """Parse a whole number of at least one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def amount(text: str) -> float:
    """Parse a finite number above zero."""
    number = float(text)
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"{text} is no amount above 0")
    return number


def boolean(text: str) -> bool:
    """Parse ``true`` or ``false``, as YAML and Kubernetes write them."""
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text == "true"
