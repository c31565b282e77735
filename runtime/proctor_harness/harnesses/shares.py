"""Which samples fall to one of several pods that share an evaluation's questions (ADR 17)."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class AskedError(Exception):
    """Every question of the share was asked; the harness would now score."""


class Share(NamedTuple):
    """One pod's part."""

    shard: int
    shards: int

    def of(self, samples: Sequence[T]) -> Sequence[T]:
        """Each n-th of the samples."""
        return samples[self.shard :: self.shards]

    def size(self, samples: int) -> int:
        """How many that are of so many samples."""
        return len(range(self.shard, samples, self.shards))

    def of_questions(self, samples: Sequence[T], questions: Sequence[Hashable]) -> list[T]:
        """Each n-th, where those of which the question is the same fall to one pod.

        A question has as many answers as it is asked, which two pods that know nothing of each
        other would count anew.
        """
        numbers = {question: n for n, question in enumerate(dict.fromkeys(questions))}
        asked = zip(samples, questions, strict=True)
        return [sample for sample, q in asked if numbers[q] % self.shards == self.shard]
