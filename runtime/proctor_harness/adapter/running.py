"""A mean and a maximum that grow with their values."""

from dataclasses import dataclass


@dataclass(slots=True)
class Running:
    """Of the values so far."""

    count: int = 0
    total: float = 0
    largest: float | None = None

    def add(self, value: float) -> None:
        """Take one more."""
        self.count += 1
        self.total += value
        self.largest = value if self.largest is None else max(self.largest, value)

    @property
    def mean(self) -> float | None:
        """To two decimals; None of nothing."""
        return round(self.total / self.count, 2) if self.count else None
