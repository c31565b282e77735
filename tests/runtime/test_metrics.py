"""/metrics: vLLM's names, and figures that are true."""

from dataclasses import replace
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from proctor_runtime.engine.fake import CAPACITY, FakeEngine
from proctor_runtime.engine.protocol import GenerateRequest
from proctor_runtime.openai.metering import MeteredQueue
from proctor_runtime.openai.metrics import Metrics
from tests.runtime.letters import ScriptedQueue, batcher_of, letters

LABELS = {"model_name": "letters", "engine": "0"}
VLLM = {
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:prefix_cache_queries",
    "vllm:prefix_cache_hits",
    "vllm:num_preemptions",
    "vllm:prompt_tokens",
    "vllm:generation_tokens",
    "vllm:request_success",
    "vllm:request_prompt_tokens",
    "vllm:request_generation_tokens",
    "vllm:request_params_max_tokens",
    "vllm:time_to_first_token_seconds",
    "vllm:inter_token_latency_seconds",
    "vllm:request_time_per_output_token_seconds",
    "vllm:e2e_request_latency_seconds",
    "vllm:request_queue_time_seconds",
    "vllm:request_prefill_time_seconds",
    "vllm:request_decode_time_seconds",
    "vllm:request_inference_time_seconds",
    "vllm:cache_config_info",
}
"""Of vLLM's Grafana dashboard and its documentation's list."""


async def samples(client: httpx.AsyncClient) -> dict[tuple[str, str], float]:
    """Return every sample by its name and the label that tells it from its like."""
    answer = await client.get("http://runtime/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            rest = {k: v for k, v in sample.labels.items() if k not in LABELS}
            assert not sample.name.startswith("vllm:") or sample.labels.items() >= LABELS.items()
            found[sample.name, ",".join(rest.values())] = sample.value
    return found


async def complete(client: httpx.AsyncClient, **fields: Any) -> None:
    body = {"model": "letters", "temperature": 0, "add_special_tokens": False, **fields}
    assert (await client.post("/completions", json=body)).status_code == 200


async def test_vllms_names_are_there(client: httpx.AsyncClient) -> None:
    text = (await client.get("http://runtime/metrics")).text
    assert {family.name for family in text_string_to_metric_families(text)} >= VLLM


async def test_requests_are_counted(client: httpx.AsyncClient) -> None:
    await complete(client, prompt=["abc", "x"], max_tokens=5)
    await complete(client, prompt=[[253]], max_tokens=9)
    found = await samples(client)
    assert found["vllm:request_success_total", "length"] == 2
    assert found["vllm:request_success_total", "stop"] == 1
    assert found["vllm:prompt_tokens_total", ""] == 5
    assert found["vllm:generation_tokens_total", ""] == 5 + 5 + 3
    assert found["vllm:request_prompt_tokens_sum", ""] == 5
    assert found["vllm:time_to_first_token_seconds_count", ""] == 3
    assert found["vllm:inter_token_latency_seconds_count", ""] == 4 + 4 + 2
    assert found["vllm:e2e_request_latency_seconds_count", ""] == 3
    assert 0 < found["vllm:e2e_request_latency_seconds_sum", ""] < 10
    assert found["http_requests_total", "/v1/completions,POST,2xx"] == 2


async def test_probes_do_not_count(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/ready")).status_code == 200
    assert (await samples(client))["vllm:time_to_first_token_seconds_count", ""] == 0


async def test_refusals_count_as_answers_and_not_as_requests(client: httpx.AsyncClient) -> None:
    await client.post("/completions", json={"model": "letters", "prompt": ""})
    await client.get("http://runtime/nothing/at/all")
    found = await samples(client)
    assert found["http_requests_total", "/v1/completions,POST,4xx"] == 1
    assert found["http_requests_total", "none,GET,4xx"] == 1
    assert found["vllm:request_success_total", "error"] == 0


def test_a_requests_time_is_cut_where_vllm_cuts_it() -> None:
    """Queued at 10, begun at 11, first token at 13, last at 18, answered at 20."""
    times = iter([10.0, 11.0, 13.0, 18.0, 20.0])
    metrics = Metrics("letters", 512)
    queue = MeteredQueue(ScriptedQueue("ab", "length"), metrics, clock=lambda: next(times))
    queue.submit(GenerateRequest(prompt=(1,), max_new_tokens=2))
    sums = {
        sample.name.removeprefix("vllm:request_").removesuffix("_time_seconds_sum"): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name.endswith("_time_seconds_sum")
    }
    assert sums == {"queue": 1.0, "prefill": 2.0, "decode": 5.0, "inference": 7.0}


async def test_waiting_is_told_from_working() -> None:
    alone = replace(CAPACITY, sequences=1)
    engine = FakeEngine(max_sequence_length=512, step_seconds=0.01, capacity=alone)
    batcher = batcher_of(engine)
    async with letters(engine, batcher).client() as client:
        await complete(client, prompt=["a", "b"], max_tokens=10, ignore_eos=True)
        found = await samples(client)
    batcher.close()
    # The second waits for the first's ten steps, and works for ten of its own.
    assert 0.09 < found["vllm:request_queue_time_seconds_sum", ""] < 5
    assert found["vllm:request_inference_time_seconds_sum", ""] > 0.17
    assert found["vllm:request_prefill_time_seconds_count", ""] == 2
