"""What to apply and what to delete: the difference between the desired and the observed."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from proctor_operator import quantity
from proctor_operator.cluster import Manifest, Ref
from proctor_operator.metadata import ending

AMOUNTS = ".resources."
"""Below this, the apiserver spells amounts in its own way."""


@dataclass(frozen=True, slots=True)
class Desired:
    """Objects that shall exist as written, and others that may stay as they are."""

    apply: Sequence[Manifest]
    keep: Collection[Ref] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Plan:
    """Writes, in order: every apply, then every delete."""

    apply: list[Manifest]
    delete: list[Ref]


def plan(desired: Desired, observed: Sequence[Manifest]) -> Plan:
    """Apply what is absent or has drifted, delete what is no longer wanted."""
    found = {Ref.of(manifest): manifest for manifest in observed if not ending(manifest)}
    wanted = {Ref.of(manifest): manifest for manifest in desired.apply}
    apply = [m for ref, m in wanted.items() if ref not in found or drifted(m, found[ref])]
    return Plan(apply, [ref for ref in found if ref not in wanted and ref not in desired.keep])


def drifted(desired: Manifest, observed: Manifest) -> str | None:
    """The first path at which `observed` lacks something of `desired`; None where it has all.

    Defaults that the apiserver added are no drift. A field that is no longer desired is found
    through the pod template, whose hash is in a label and in a Job's name.
    """
    return next(differences(desired, observed, ""), None)


def differences(desired: Any, observed: Any, path: str) -> Iterator[str]:
    """Paths at which `observed` does not contain `desired`."""
    if isinstance(desired, dict) and isinstance(observed, dict):
        for key, value in desired.items():
            if empty(value) and key not in observed:
                continue
            yield from differences(value, observed.get(key), f"{path}.{key}")
    elif isinstance(desired, list) and isinstance(observed, list):
        if len(desired) != len(observed):
            yield path
        for index, (left, right) in enumerate(zip(desired, observed, strict=False)):
            yield from differences(left, right, f"{path}[{index}]")
    elif desired != observed and not (AMOUNTS in path and quantity.same(desired, observed)):
        yield path


def empty(value: Any) -> bool:
    """Whether the apiserver leaves the field out when it is stored."""
    return value is None or value is False or value in ({}, [], "")
