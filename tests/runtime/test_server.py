"""The whole serving process, as the pod runs it."""

import asyncio
import json
import os
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http

from tests.runtime.server_process import Server, serving


@pytest.fixture(scope="module")
def server(
    checkpoint: Path, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    with serving(checkpoint, tokenizer_folder, home, "--transport=triton") as server:
        yield server


BODY = {"model": "tiny", "temperature": 0}
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


def test_sigterm_drains_and_exits_0(server: Server) -> None:
    async def ask_and_terminate() -> list[dict[str, Any]]:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            body = {"prompt": "drain", "max_tokens": 80}
            answer = asyncio.create_task(complete(client, body))
            await asyncio.sleep(0.1)
            server.process.send_signal(signal.SIGTERM)
            return await answer

    assert asyncio.run(ask_and_terminate())[0]["finish_reason"] in {"length", "stop"}
    assert server.process.wait(60) == 0, server.log.read_text()
    assert not server.last_words.exists()


def test_a_dead_rank_ends_the_server(
    checkpoint: Path, tokenizer_folder: Path, tmp_path: Path
) -> None:
    split = ("--transport=in-process", "--pipeline-parallel=2")
    with serving(checkpoint, tokenizer_folder, tmp_path, *split) as server:
        os.kill(follower_of(server.process.pid), signal.SIGKILL)
        assert server.process.wait(30) == 1
    assert '"RuntimeCrashed"' in server.last_words.read_text()
    assert "rank-1" in server.last_words.read_text()


def follower_of(pid: int) -> int:
    """Return the child that multiprocessing spawned."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    commands = {int(c): Path(f"/proc/{c}/cmdline").read_text() for c in children}
    return next(child for child, command in commands.items() if "spawn_main" in command)
