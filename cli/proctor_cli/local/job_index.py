"""Which completions of an Indexed Job there are, and which are missing. Pure."""

from collections.abc import Collection, Iterable, Iterator

from proctor_operator.cluster import Manifest

INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation and label of a pod: which completion it works at."""


def is_indexed(job: Manifest) -> bool:
    """Whether each of its pods has a completion of its own."""
    return bool(job["spec"].get("completionMode") == "Indexed")


def index_of(pod: Manifest) -> int | None:
    """The completion that a pod works at."""
    found = pod["metadata"].get("annotations", {}).get(INDEX)
    return None if found is None else int(found)


def missing(job: Manifest, living: Iterable[Manifest]) -> list[int]:
    """Completions that nobody has reached or works at, the lowest first."""
    taken = completed(job.get("status", {})) | {index_of(pod) for pod in living}
    return [index for index in range(job["spec"].get("completions", 1)) if index not in taken]


def completed(status: Manifest) -> set[int]:
    """Those of `completedIndexes`, which reads `0,2-4`."""
    ranges = filter(None, status.get("completedIndexes", "").split(","))
    return {index for each in ranges for index in _range(each)}


def completed_text(indexes: Collection[int]) -> str:
    """The same, written."""
    return ",".join(_runs(sorted(indexes)))


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _runs(indexes: list[int]) -> Iterator[str]:
    start = 0
    for position, index in enumerate(indexes):
        if position + 1 < len(indexes) and indexes[position + 1] == index + 1:
            continue
        first = indexes[start]
        yield str(index) if first == index else f"{first}-{index}"
        start = position + 1
