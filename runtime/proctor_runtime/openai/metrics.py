"""Prometheus metrics, under vLLM's names where vLLM has the same: its dashboards carry over.

Names, labels and buckets are those of vLLM's v1 engine (``vllm/v1/metrics``).
"""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from proctor_runtime.engine.protocol import EngineInfo, EngineStats

LABELS = ["model_name", "engine"]

LATENCY = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
FIRST_TOKEN = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5),
    *(10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
BETWEEN_TOKENS = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5),
    *(10.0, 20.0, 40.0, 80.0),
)
HTTP = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)


class Metrics:
    """A registry of its own, and what is observed in it."""

    def __init__(self, model: str, longest: int) -> None:
        self.registry = CollectorRegistry()
        self._labels = {"model_name": model, "engine": "0"}
        tokens = one_two_five(longest)
        self.first_token = self._histogram(
            "time_to_first_token_seconds", "Time to the first token.", FIRST_TOKEN
        )
        self.between_tokens = self._histogram(
            "inter_token_latency_seconds", "Time between two tokens.", BETWEEN_TOKENS
        )
        self.per_token = self._histogram(
            "request_time_per_output_token_seconds",
            "Mean time between a request's tokens.",
            BETWEEN_TOKENS,
        )
        self.whole = self._histogram(
            "e2e_request_latency_seconds", "Time from a request to its last token.", LATENCY
        )
        self.queue = self._histogram(
            "request_queue_time_seconds", "Time that a request waits for the engine.", LATENCY
        )
        self.prefill = self._histogram(
            "request_prefill_time_seconds", "Time from there to a request's first token.", LATENCY
        )
        self.inference = self._histogram(
            "request_inference_time_seconds", "Time that the engine takes for a request.", LATENCY
        )
        self.decode = self._histogram(
            "request_decode_time_seconds", "Time from a request's first token to its last.", LATENCY
        )
        self.prompt = self._histogram(
            "request_prompt_tokens", "Tokens in a request's prompt.", tokens
        )
        self.generated = self._histogram(
            "request_generation_tokens", "Tokens that a request made.", tokens
        )
        self.wanted = self._histogram(
            "request_params_max_tokens", "Tokens that a request asked for at most.", tokens
        )
        self._ended = Counter(
            "vllm:request_success",
            "Requests that ended, by why they did.",
            [*LABELS, "finished_reason"],
            registry=self.registry,
        )
        for reason in ("stop", "length", "abort", "error"):
            self._ended.labels(**self._labels, finished_reason=reason)
        self._http = Counter(
            "http_requests",
            "HTTP requests that were answered.",
            ["handler", "method", "status"],
            registry=self.registry,
        )
        self._http_seconds = Histogram(
            "http_request_duration_seconds",
            "Time from an HTTP request to the end of its answer.",
            ["handler", "method"],
            buckets=HTTP,
            registry=self.registry,
        )

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
        made = Histogram(f"vllm:{name}", what, LABELS, buckets=buckets, registry=self.registry)
        return made.labels(**self._labels)

    def ended(self, reason: str) -> None:
        """Count a request that ended."""
        self._ended.labels(**self._labels, finished_reason=reason).inc()

    def answered(self, handler: str, method: str, status: int, seconds: float) -> None:
        """Count an HTTP request."""
        self._http.labels(handler, method, f"{status // 100}xx").inc()
        self._http_seconds.labels(handler, method).observe(seconds)

    def watch(self, info: EngineInfo, stats: Callable[[], EngineStats]) -> None:
        """Report what the engine says of itself, whenever somebody looks."""
        self.registry.register(EngineCollector(self._labels, info, stats))

    def exposition(self, accept: str | None) -> tuple[bytes, str]:
        """Return all that was observed, in the form asked for, and the form's content type."""
        encode, content_type = choose_encoder(accept or "")
        return encode(self.registry), content_type


class EngineCollector(Collector):
    """The engine's own figures."""

    def __init__(
        self, labels: dict[str, str], info: EngineInfo, stats: Callable[[], EngineStats]
    ) -> None:
        self._labels = labels
        self._info = info
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """Yield the figures as of now."""
        now = self._stats()
        for name, what, value in (
            ("num_requests_running", "Requests that the engine is working on.", now.running),
            ("num_requests_waiting", "Requests that wait for the engine.", now.waiting),
            ("kv_cache_usage_perc", "Share of the KV cache in use, 1 is all.", now.kv_cache_usage),
        ):
            yield self._family(GaugeMetricFamily, name, what, value)
        for name, what, value in (
            ("prompt_tokens", "Prompt tokens processed.", now.prompt_tokens),
            ("generation_tokens", "Tokens generated.", now.generation_tokens),
            ("prefix_cache_queries", "Prompt tokens looked up.", now.prefix_cache_queries),
            ("prefix_cache_hits", "Prompt tokens found in the cache.", now.prefix_cache_hits),
            ("num_preemptions", "Requests that had to start again.", now.preemptions),
        ):
            yield self._family(CounterMetricFamily, name, what, value)
        yield self._cache()

    def _family(
        self,
        kind: type[GaugeMetricFamily] | type[CounterMetricFamily],
        name: str,
        what: str,
        value: float,
    ) -> Metric:
        family = kind(f"vllm:{name}", what, labels=list(self._labels))
        family.add_metric(list(self._labels.values()), value)
        return family

    def _cache(self) -> Metric:
        info = self._info
        facts = {
            **self._labels,
            "block_size": str(info.kv_cache_block_tokens),
            "num_gpu_blocks": str(info.kv_cache_blocks),
            "enable_prefix_caching": str(info.prefix_caching.on),
        }
        family = GaugeMetricFamily("vllm:cache_config_info", "The KV cache.", labels=list(facts))
        family.add_metric(list(facts.values()), 1)
        return family


def one_two_five(most: int) -> tuple[float, ...]:
    """Return 1, 2, 5, 10, 20, 50 and so on, up to `most`."""
    steps = (float(m * 10**e) for e in range(len(str(most))) for m in (1, 2, 5))
    return tuple(step for step in steps if step <= most) or (1.0,)
