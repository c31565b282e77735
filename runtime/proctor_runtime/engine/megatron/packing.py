"""A step as tensors: its rows one after the other, and what each must look at."""

from dataclasses import dataclass

import torch

from proctor_runtime.engine.megatron.kv_store import slots_of
from proctor_runtime.engine.scheduling.step import Row, Step


@dataclass(frozen=True, slots=True)
class Packed:
    """A step's tokens ``[tokens]``, in the order of `order`."""

    order: list[int]
    """Which of the step's rows stands where."""
    rows: list[Row]
    starts: list[int]
    """Where each of them begins."""
    ids: torch.Tensor
    positions: torch.Tensor
    slots: torch.Tensor
    """Where each token's keys and values go."""
    copies: tuple[torch.Tensor, torch.Tensor] | None
    """Slots to copy from and to."""


def pack(step: Step, device: torch.device) -> Packed:
    """Lay a step's rows out so that those that begin alike are neighbours."""
    order = sorted(range(len(step.rows)), key=lambda at: step.rows[at].segments)
    rows = [step.rows[at] for at in order]
    ids: list[int] = []
    positions: list[int] = []
    written: list[int] = []
    starts: list[int] = []
    for row in rows:
        starts.append(len(ids))
        ids.extend(row.tokens)
        positions.extend(range(row.position, row.position + len(row.tokens)))
        written.extend(slots_of(row.written))
    whole = torch.tensor([ids, positions, written], device=device)
    return Packed(order, rows, starts, whole[0], whole[1], whole[2], copies(step, device))


def copies(step: Step, device: torch.device) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return the slots to copy from and to."""
    if not step.copies:
        return None
    origins: dict[int, int] = {}
    for copy in step.copies:
        for source, target in zip(copy.sources, copy.targets, strict=True):
            # All are copied at once, so what is copied from a copy comes from the original.
            origins[target] = origins.get(source, source)
    sources, targets = list(origins.values()), list(origins)
    return torch.tensor(sources, device=device), torch.tensor(targets, device=device)
