"""The whole serving process, as the pod runs it."""

import asyncio
import json
import os
import re
import signal
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http

from tests.runtime.server_process import Server, serving
from tests.runtime.sse import chunks_of


@pytest.fixture(scope="module")
def server(
    checkpoint: Path, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    with serving(checkpoint, tokenizer_folder, home, "--transport=triton") as server:
        yield server


BODY = {"model": "tiny", "temperature": 0}
SNIPPETS = re.findall(
    "```python\n(.*?)```", (Path(__file__).parents[2] / "docs" / "triton.md").read_text(), re.DOTALL
)
MIXED: list[dict[str, Any]] = [
    {"prompt": "1 + 1 =", "max_tokens": 4},
    {"prompt": "1 + 1 = 2", "max_tokens": 1, "echo": True, "logprobs": 1},
    {"prompt": [[10, 11, 12], [13, 14]], "max_tokens": 1, "echo": True, "logprobs": 1},
    {"prompt": "abc", "max_tokens": 9, "temperature": 0.8, "seed": 3, "top_p": 0.9},
    {"prompt": "abc", "max_tokens": 9, "temperature": 1.2, "seed": 4, "top_k": 7},
    {"prompt": "a long prompt that pads the others", "max_tokens": 20},
    {"prompt": "xyz", "max_tokens": 0, "echo": True, "logprobs": 2},
]


async def complete(client: httpx.AsyncClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.post("/v1/completions", json={**BODY, **body})
    assert answer.status_code == 200, answer.text
    choices: list[dict[str, Any]] = answer.json()["choices"]
    return choices


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one["text"] == other["text"]
    assert one["finish_reason"] == other["finish_reason"]
    if one["logprobs"]:
        mine, theirs = one["logprobs"]["token_logprobs"], other["logprobs"]["token_logprobs"]
        assert [v for v in mine if v is not None] == pytest.approx(
            [v for v in theirs if v is not None], abs=1e-5
        )


async def test_concurrent_mixed_requests_are_answered_as_if_alone(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
        alone = [await complete(client, body) for body in MIXED]
        together = await asyncio.gather(*[complete(client, body) for body in MIXED * 3])
    for i, choices in enumerate(together):
        for one, other in zip(choices, alone[i % len(MIXED)], strict=True):
            assert_same(one, other)


async def score(client: httpx.AsyncClient, tokens: list[int]) -> tuple[float, bool]:
    """Return what stock lm-eval reads: the log-likelihood after the first token, and if greedy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lm_eval.models.openai_completions import LocalCompletionsAPI

    body = {**BODY, "prompt": [tokens], "max_tokens": 1, "echo": True, "logprobs": 1, "seed": 1234}
    answer = (await client.post("/v1/completions", json=body)).json()
    (found,) = LocalCompletionsAPI.parse_logprobs(answer, tokens=[tokens], ctxlens=[1])
    return found


async def test_sums_do_not_depend_on_what_is_in_flight(server: Server) -> None:
    """A shorter prompt beside a longer one, where padding would slip into the sum."""
    prompts = [[10 + n, *range(20, 21 + 7 * n)] for n in range(12)]
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
        alone = [await score(client, prompt) for prompt in prompts]
        together = await asyncio.gather(*[score(client, prompt) for prompt in prompts])
    for (one, greedy), (other, also) in zip(alone, together, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
        assert greedy == also


async def test_a_greedy_continuation_is_told_to_be_one(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
        first, *others = await greedy_tokens(client)
        assert (await score(client, [first, *others]))[1] is True
        others[-1] = (others[-1] + 1) % 150
        assert (await score(client, [first, *others]))[1] is False


async def greedy_tokens(client: httpx.AsyncClient) -> list[int]:
    """Return a token and how the model goes on, where that can be read from the text's letters."""
    for first in range(10, 60):
        body = {**BODY, "prompt": [[first]], "max_tokens": 6, "ignore_eos": True}
        (choice,) = (await client.post("/v1/completions", json=body)).json()["choices"]
        if choice["text"].isascii():
            text = {"prompt": choice["text"], "add_special_tokens": False}
            return [first, *(await client.post("/tokenize", json=text)).json()["tokens"]]
    raise AssertionError("no text of letters")


async def test_top_k_and_top_p_together(server: Server) -> None:
    body = {"model": "tiny", "prompt": "abc", "max_tokens": 30, "top_k": 3, "top_p": 0.95}
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
        asked = {**body, "temperature": 1.5, "seed": 7, "logprobs": 3}
        answer = await client.post("/v1/completions", json=asked)
    assert answer.status_code == 200, answer.text
    logprobs = answer.json()["choices"][0]["logprobs"]
    for value, top in zip(logprobs["token_logprobs"], logprobs["top_logprobs"], strict=True):
        # Parts of characters look alike, and then only one of them is shown.
        assert len(top) < 3 or value >= min(sorted(top.values(), reverse=True)[:3])
    assert len(set(logprobs["token_logprobs"])) > 1


async def test_streams_come_through_triton_bit_by_bit(server: Server) -> None:
    body = {**BODY, "prompt": "abc", "max_tokens": 60, "ignore_eos": True}
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
        at_once = (await complete(client, body))[0]["text"]
        streams = [client.post("/v1/completions", json={**body, "stream": True}) for _ in range(8)]
        answers = [chunks_of(answer) for answer in await asyncio.gather(*streams)]
    for chunks in answers:
        assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == at_once
        assert len(chunks) > 3


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "at once"])
async def test_who_leaves_frees_the_engine_through_triton(server: Server, stream: bool) -> None:
    body = {**BODY, "prompt": ["abc"] * 4, "max_tokens": 100, "n": 8, "ignore_eos": True}
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
        before = await gauge(client, ABORTED)
        asked = {**body, "stream": stream, "logprobs": 5, "stop": ["nothing of the kind"]}
        leaving = asyncio.create_task(client.post("/v1/completions", json=asked))
        await until(lambda: is_above(client, RUNNING, 0))
        leaving.cancel()
        await until(lambda: is_above(client, ABORTED, before))
        await until(lambda: is_idle(client))


RUNNING = "vllm:num_requests_running{"
ABORTED = 'vllm:request_success_total{engine="0",finished_reason="abort"'


async def until(holds: Callable[[], Awaitable[Any]], seconds: float = 20) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110  another process's affair
            await asyncio.sleep(0.02)


async def is_above(client: httpx.AsyncClient, begins: str, bound: float) -> bool:
    return await gauge(client, begins) > bound


async def is_idle(client: httpx.AsyncClient) -> bool:
    return not await is_above(client, RUNNING, 0)


async def gauge(client: httpx.AsyncClient, begins: str) -> float:
    """Return the sample whose line begins so."""
    lines = (await client.get("/metrics")).text.splitlines()
    (found,) = [line for line in lines if line.startswith(begins)]
    return float(found.split()[-1])


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["over HTTP", "many tokens as they come"])
def test_the_documented_snippets_do_what_they_say(server: Server, snippet: str) -> None:
    said = snippet.replace("localhost:8000", server.triton).replace("localhost:8001", server.grpc)
    printed: list[Any] = []
    exec(said.replace('"my-model', '"tiny'), {"print": lambda *what: printed.extend(what)})  # noqa: S102
    assert printed
    assert all(isinstance(what, str) for what in printed)


def test_tritons_own_metrics(server: Server) -> None:
    text = httpx.get(f"http://{server.triton_metrics}/metrics").text
    assert 'nv_inference_request_success{model="tiny-tokens",version="1"}' in text


def test_tritons_health(server: Server) -> None:
    assert httpx.get(f"{server.url}/v1/triton_health").status_code == 200


def test_stock_lm_evals_remote_tokenizer(server: Server) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lm_eval.utils import RemoteTokenizer, check_remote_tokenizer_support

    url = f"{server.url}/v1/completions"
    assert check_remote_tokenizer_support(url, timeout=30)
    tokenizer = RemoteTokenizer(url)
    assert tokenizer.decode(tokenizer.encode("2+2")) == "2+2"
    assert (tokenizer.eos_token, tokenizer.eos_token_id) == ("</s>", 1)
    rendered = tokenizer.apply_chat_template([{"role": "user", "content": "hi"}])
    assert rendered == "[user]hi[assistant]"
    tokenizer.session.close()


def test_the_engine_describes_itself(server: Server) -> None:
    described = httpx.get(f"{server.url}/v1/engine").json()
    assert described["transport"] == "triton"
    assert described["engine"] == "megatron-core"
    assert described["checkpointDigest"].startswith("sha256:")
    assert (described["prefixCaching"], described["chunkedPrefill"]) == ("on", "on")
    assert described["cudaGraphs"].startswith("off: ")
    assert described["chatTemplate"] == "the tokenizer's"


def test_what_a_deployment_sets_is_in_effect(
    checkpoint: Path, tokenizer_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "chat.jinja").write_text("{{ messages[0].content | upper }}")
    options = (
        "--transport=in-process",
        "--kv-cache-gib=0.001",
        "--prefix-caching=false",
        "--chunked-prefill=false",
        "--cuda-graphs=false",
        "--tool-call-parser=hermes",
        "--max-body-bytes=2000",
        f"--chat-template={tmp_path / 'chat.jinja'}",
    )
    with serving(checkpoint, tokenizer_folder, tmp_path, *options) as server:
        described = httpx.get(f"{server.url}/v1/engine").json()
        metrics = httpx.get(f"{server.url}/metrics").text
        chat = {"messages": [{"role": "user", "content": "ab"}], "add_special_tokens": False}
        tokens = httpx.post(f"{server.url}/tokenize", json=chat).json()["tokens"]
        text = httpx.post(f"{server.url}/detokenize", json={"tokens": tokens}).json()["prompt"]
        large = httpx.post(
            f"{server.url}/v1/completions", json={"model": "tiny", "prompt": "a" * 2000}
        )
    assert text == "AB"
    assert large.status_code == 413
    assert described["prefixCaching"] == "off: engine.prefixCaching is false"
    assert described["chunkedPrefill"] == "off: engine.chunkedPrefill is false"
    assert described["cudaGraphs"] == "off: engine.cudaGraphs is false"
    assert (described["toolCallParser"], described["chatTemplate"]) == ("hermes", "given")
    # 1 KiB a token: four layers, two groups of keys and values, 16 float32 each.
    assert described["kvCacheBytes"] == (1 << 30) // 1000 // 16384 * 16384
    assert 'enable_prefix_caching="False"' in metrics


def test_rows_of_one_triton_batch_have_nothing_to_do_with_each_other(server: Server) -> None:
    """Where NeMo's server fails all of them: parameters differ, and one row is wrong."""
    client = tritonclient.http.InferenceServerClient(server.triton)
    assert client.is_model_ready("tiny")
    rows: list[tuple[str, dict[str, Any]]] = [
        ("1 + 1 =", {"temperature": 0, "max_tokens": 4}),
        ("abc", {"temperature": 0.8, "seed": 3, "max_tokens": 9, "top_p": 0.9}),
        ("abc", {"max_tokens": -1}),
        ("xyz", {"max_tokens": 1, "echo": True, "logprobs": 1, "temperature": 0}),
    ]
    texts, wholes = infer(client, rows)
    client.close()
    for (prompt, fields), text, whole in zip(rows, texts, wholes, strict=True):
        said = httpx.post(
            f"{server.url}/v1/completions", json={"model": "tiny", "prompt": prompt, **fields}
        ).json()
        if "error" in said:
            assert (text, whole) == ("", said)
        else:
            assert text == said["choices"][0]["text"]
            assert_same(whole["choices"][0], said["choices"][0])


def infer(client: Any, rows: list[tuple[str, dict[str, Any]]]) -> tuple[list[str], list[Any]]:
    """Call the text model as its documentation says."""
    columns = {
        "text_input": np.array([[prompt] for prompt, _ in rows], dtype=object),
        "parameters": np.array([[json.dumps(fields)] for _, fields in rows], dtype=object),
    }
    inputs = [tritonclient.http.InferInput(name, [len(rows), 1], "BYTES") for name in columns]
    for tensor in inputs:
        tensor.set_data_from_numpy(columns[tensor.name()])
    result = client.infer("tiny", inputs)
    texts = [text.decode() for text in result.as_numpy("text_output")[:, 0]]
    return texts, [json.loads(whole) for whole in result.as_numpy("response")[:, 0]]


def test_sigterm_drains_turns_others_away_and_exits_0(server: Server) -> None:
    async def ask_and_terminate() -> list[dict[str, Any]]:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            body = {"prompt": ["drain"] * 4, "max_tokens": 100, "n": 8, "ignore_eos": True}
            answer = asyncio.create_task(complete(client, body))
            await until(lambda: is_above(client, RUNNING, 0))
            server.process.send_signal(signal.SIGTERM)
            await until(lambda: is_turned_away(client))
            return await answer

    assert len(asyncio.run(ask_and_terminate())) == 4 * 8
    assert server.process.wait(60) == 0, server.log.read_text()
    assert not server.last_words.exists()


async def is_turned_away(client: httpx.AsyncClient) -> bool:
    answer = await client.post("/v1/completions", json={**BODY, "prompt": "a", "max_tokens": 1})
    return answer.status_code == 503 and "retry-after" in answer.headers


@pytest.mark.parametrize("split", [("pipeline",), ("context", "expert")], ids=["PP2", "CP2 EP2"])
def test_a_dead_rank_ends_the_server_and_gives_no_answer(
    checkpoint_of_experts: Path, tokenizer_folder: Path, tmp_path: Path, split: tuple[str, ...]
) -> None:
    arguments = ("--transport=in-process", *(f"--{axis}-parallel=2" for axis in split))
    with (
        serving(checkpoint_of_experts, tokenizer_folder, tmp_path, *arguments) as server,
        ThreadPoolExecutor() as asking,
    ):
        body = {**BODY, "prompt": ["abc"] * 20, "max_tokens": 100, "n": 9, "ignore_eos": True}
        url = f"{server.url}/v1/completions"
        answer = asking.submit(httpx.post, url, json=body, timeout=60)
        time.sleep(0.1)
        os.kill(follower_of(server.process.pid), signal.SIGKILL)
        # An error, of the server or of the connection: nothing that could be scored.
        assert isinstance(answer.exception(60), httpx.TransportError) or (
            answer.result().status_code >= 500
        )
        assert server.process.wait(30) == 1
    assert '"RuntimeCrashed"' in server.last_words.read_text()
    assert "rank-1" in server.last_words.read_text()


def follower_of(pid: int) -> int:
    """Return the child that multiprocessing spawned."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for one in lists for child in one.read_text().split()]
    commands = {c: Path(f"/proc/{c}/cmdline").read_text() for c in children}
    return next(child for child, command in commands.items() if "spawn_main" in command)
