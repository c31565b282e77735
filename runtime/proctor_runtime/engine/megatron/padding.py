"""Ragged prompts as rectangles. Masks are true where a position must not be looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


def right_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> torch.Tensor:
    """Stack prompts with padding behind them, where causal attention cannot see it."""
    width = max(map(len, prompts))
    rows = [[*prompt, *[0] * (width - len(prompt))] for prompt in prompts]
    return torch.tensor(rows, device=device)


@dataclass(frozen=True)
class LeftPadded:
    """Prompts that end at the same place, to grow from there together."""

    ids: torch.Tensor
    pads: torch.Tensor
    """How much padding stands before each prompt."""

    @classmethod
    def stack(cls, prompts: Sequence[Sequence[int]], device: torch.device) -> "LeftPadded":
        """Stack prompts with padding before them."""
        width = max(map(len, prompts))
        pads = [width - len(prompt) for prompt in prompts]
        rows = [[*[0] * pad, *prompt] for pad, prompt in zip(pads, prompts, strict=True)]
        return cls(torch.tensor(rows, device=device), torch.tensor(pads, device=device))

    @property
    def width(self) -> int:
        """The longest prompt's length."""
        return self.ids.shape[1]

    def positions(self, start: int, end: int) -> torch.Tensor:
        """Count each row's columns `start` to `end` from its own first token."""
        columns = torch.arange(start, end, device=self.ids.device)
        return (columns - self.pads[:, None]).clamp(min=0)

    def prompt_mask(self) -> torch.Tensor | None:
        """Hide the padding and the future from the prompts; None if plain causal does."""
        padding = self.padding_mask(self.width)
        if padding is None:
            return None
        future = torch.ones(self.width, self.width, dtype=torch.bool, device=self.ids.device)
        # Padding may look at itself, for a softmax over nothing is NaN.
        itself = torch.eye(self.width, dtype=torch.bool, device=self.ids.device)
        return (future.triu(1) | padding) & ~itself

    def padding_mask(self, width: int) -> torch.Tensor | None:
        """Hide the padding from the newest tokens; None if there is none."""
        if not bool(self.pads.any()):
            return None
        columns = torch.arange(width, device=self.ids.device)
        return (columns < self.pads[:, None])[:, None, None, :]
