"""The adapter's Prometheus metrics, in the text format (this image carries no client library)."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from proctor_harness.adapter.flags import Flag
from proctor_harness.adapter.messages import Origin
from proctor_harness.adapter.progress import Snapshot
from proctor_harness.adapter.traffic import Exchange

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """Counts exchanges by status and by latency, and tokens by kind."""

    def __init__(self) -> None:
        self._statuses: Counter[int] = Counter()
        self._latencies = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0
        self._tokens: Counter[str] = Counter()
        self._origins: Counter[Origin] = Counter()
        self._flags: Counter[Flag] = Counter()

    def record(self, exchange: Exchange) -> None:
        """Count one exchange."""
        self._statuses[exchange.status] += 1
        self._latencies[bisect_left(BUCKETS, exchange.seconds)] += 1
        self._seconds += exchange.seconds
        self._origins[exchange.origin] += 1
        self._flags.update(exchange.flags)
        if exchange.origin is Origin.CACHE:
            return  # its tokens were counted, and paid for, when it was asked
        for kind, tokens in (exchange.usage or {}).items():
            self._tokens[kind] += tokens

    def exposition(self, progress: Snapshot) -> str:
        """Render what Prometheus scrapes."""
        return "\n".join([*self._requests(), *self._latency(), *_items(progress)]) + "\n"

    def _requests(self) -> Iterator[str]:
        yield "# TYPE proctor_adapter_requests_total counter"
        for status, requests in sorted(self._statuses.items()):
            yield f'proctor_adapter_requests_total{{status="{status}"}} {requests}'
        yield "# TYPE proctor_adapter_answers_total counter"
        for origin, requests in sorted(self._origins.items(), key=lambda item: item[0].value):
            yield f'proctor_adapter_answers_total{{origin="{origin.value}"}} {requests}'
        yield "# TYPE proctor_adapter_flagged_total counter"
        for flag, answers in sorted(self._flags.items()):
            yield f'proctor_adapter_flagged_total{{flag="{flag}"}} {answers}'
        yield "# TYPE proctor_adapter_tokens_total counter"
        for kind, tokens in sorted(self._tokens.items()):
            yield f'proctor_adapter_tokens_total{{kind="{kind}"}} {tokens}'

    def _latency(self) -> Iterator[str]:
        name = "proctor_adapter_request_seconds"
        yield f"# TYPE {name} histogram"
        cumulative = 0
        for bound, requests in zip((*BUCKETS, "+Inf"), self._latencies, strict=True):
            cumulative += requests
            yield f'{name}_bucket{{le="{bound}"}} {cumulative}'
        yield f"{name}_sum {self._seconds:.6f}"
        yield f"{name}_count {cumulative}"


def _items(progress: Snapshot) -> Iterator[str]:
    yield "# TYPE proctor_adapter_items_done gauge"
    yield f"proctor_adapter_items_done {progress.done}"
    if progress.total is not None:
        yield "# TYPE proctor_adapter_items_total gauge"
        yield f"proctor_adapter_items_total {progress.total}"
