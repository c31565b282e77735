"""One result of several askings of the same samples.

What varies between askings varies within the samples too, so the askings of a sample are a cluster:
a repeat is no new sample. So are the answers to a prompt that a harness asks more than once. Where
a harness tells of its samples, errors and intervals are those of clusters; where it does not, the
repeats' own errors stand, which no number of repeats makes smaller than they may be.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import sqrt
from statistics import fmean, stdev
from statistics import mean as exact_mean

from proctor_crds.results import ResultRecord
from proctor_crds.wire import RunResult
from proctor_harness.harnesses.means import pass_at, spread
from proctor_harness.harnesses.records import clustered, uncertainty
from proctor_harness.items import Item

Key = tuple[str, str, str]
"""Task, metric and filter."""
Groups = Mapping[Key, Sequence[Sequence[float]]]
"""By metric, for each prompt what each asking of it came to."""
PERCENT = 100.0


def merged(repeats: Sequence[RunResult], items: Sequence[Item]) -> RunResult:
    """The repeats' records as one, and pass@k of those that are rights and wrongs."""
    if len(repeats) == 1:
        return repeats[0]
    groups = grouped(items)
    found = [
        record
        for records in together(repeats)
        for record in (mean(records, groups), *passes(records, groups))
    ]
    unscored = {part.task: part for repeat in repeats for part in repeat.unscored}
    return RunResult(results=found, unscored=list(unscored.values()))


def together(repeats: Sequence[RunResult]) -> Iterator[list[ResultRecord]]:
    """Each metric's records; one that a repeat lacks is no score of all of them."""
    found: dict[Key, list[ResultRecord]] = defaultdict(list)
    for repeat in repeats:
        for record in repeat.results:
            found[key(record)].append(record)
    return (records for records in found.values() if len(records) == len(repeats))


def mean(records: Sequence[ResultRecord], groups: Groups) -> ResultRecord:
    """The mean of the repeats, with their spread."""
    first, values = records[0], [float(record.value) for record in records]
    samples = groups.get(key(first), [])
    mean_of_samples = samples and abs(fmean(chain(*samples)) - fmean(values)) < 1e-9
    uncertain = of_samples(samples, first) if mean_of_samples else of_repeats(records)
    told = {
        # Exact, so that the mean of equal values is that value.
        "value": repr(exact_mean(values)),
        "stdev_of_repeats": repr(stdev(values)),
        "repeats": len(records),
        "errors": total(record.errors for record in records),
        "extraction_failures": total(record.extraction_failures for record in records),
    }
    return first.model_copy(update=told | uncertain)


def of_samples(samples: Sequence[Sequence[float]], once: ResultRecord) -> dict[str, str | None]:
    """Standard error and interval, the askings of a sample being a cluster."""
    found = set(chain(*samples))
    if found == {0.0} and once.ci_high:
        # One asking's own: what never varies says no more, and nothing tells its unit.
        return uncertainty(once)
    scale = PERCENT if found <= {0.0, PERCENT} and PERCENT in found else 1.0
    if found <= {0.0, scale}:
        record = clustered("", "", [[value / scale for value in asked] for asked in samples])
        return uncertainty(record, scale)
    return spread([fmean(asked) for asked in samples])


def of_repeats(records: Sequence[ResultRecord]) -> dict[str, str | None]:
    """The root mean square of the repeats' errors: their errors may be one and the same."""
    errors = [float(record.stderr) for record in records if record.stderr is not None]
    whole = len(errors) == len(records)
    error = repr(sqrt(fmean(e * e for e in errors))) if whole else None
    return {"stderr": error, "ci_low": None, "ci_high": None}


def passes(records: Sequence[ResultRecord], groups: Groups) -> Iterator[ResultRecord]:
    """pass@k: that of k askings at least one is right, for k of 2, 4, 8 and so on."""
    samples = groups.get(key(records[0]), [])
    if not samples or {value for asked in samples for value in asked} - {0.0, 1.0}:
        return
    least = min(map(len, samples))
    for k in (2**power for power in range(1, least.bit_length()) if 2**power <= least):
        values = [pass_at(k, len(asked), int(sum(asked))) for asked in samples]
        yield ResultRecord(
            task=records[0].task,
            metric=at(records[0].metric, k),
            filter=records[0].filter,
            value=repr(fmean(values)),
            n=len(values),
            repeats=len(records),
            direction=records[0].direction,
            **spread(values),  # type: ignore[arg-type]
        )


def at(metric: str, k: int) -> str:
    """What pass@k of a metric is called; a harness may call the metric a pass@1 itself."""
    return f"pass@{k}" if metric == "pass@1" else f"{metric}_pass@{k}"


def grouped(items: Sequence[Item]) -> Groups:
    """By metric, for each prompt its values in the order of the repeats."""
    found: dict[Key, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        found[item.task, item.metric, item.filter][item.cluster].append(item.value)
    return {name: list(samples.values()) for name, samples in found.items()}


def key(record: ResultRecord) -> Key:
    """By which the repeats' records are known for the same metric's."""
    return record.task, record.metric, record.filter


def total(counts: Iterator[int | None]) -> int | None:
    """The sum of what was counted; none where nothing was."""
    found = [count for count in counts if count is not None]
    return sum(found) if found else None
