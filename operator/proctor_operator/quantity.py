"""Amounts as Kubernetes writes them (resource.Quantity): `1000m`, `1` and `"1"` are the same."""

import re
from decimal import Decimal
from typing import Any

WRITTEN = re.compile(r"([-+]?[0-9.]+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([-+]?[0-9]+))?")
SUFFIXES = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def same(left: Any, right: Any) -> bool:
    """Whether both are the same amount; the apiserver stores another spelling than it was given."""
    amounts = amount(left), amount(right)
    return None not in amounts and amounts[0] == amounts[1]


def amount(written: Any) -> Decimal | None:
    """The number that is meant, or None where none is."""
    match = WRITTEN.fullmatch(str(written)) if isinstance(written, str | int | float) else None
    if not match or match[1].strip("+-.").count(".") > 1 or not match[1].strip("+-."):
        return None
    return Decimal(match[1]) * factor(match[2], match[3])


def factor(suffix: str | None, exponent: str | None) -> Decimal:
    """What a suffix or an exponent multiplies by."""
    if suffix and suffix.endswith("i"):
        return Decimal(1024) ** ("KMGTPE".index(suffix[0]) + 1)
    return Decimal(10) ** (SUFFIXES[suffix] if suffix else int(exponent or 0))
