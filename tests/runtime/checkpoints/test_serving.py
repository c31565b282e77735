"""The whole server on each format: greedy text is transformers', and the digest the folder's."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import torch

from proctor_runtime.checkpoints.formats import FORMATS
from tests.runtime.conftest import quiet

START_SECONDS = 420
PROMPT = [5, 17, 42, 8]
TOKENS = 8


@contextmanager
def serving(tmp_path: Path, *arguments: str) -> Iterator[str]:
    """Serve in process, without Triton; yield the API's URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    common = ("--transport=in-process", "--served-model-name=tiny", "--max-sequence-length=64")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "proctor_runtime", "serve", *common, *arguments],
            env={**kept, "HOME": str(tmp_path), "PORT_HTTP": str(port)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield wait_ready(process, f"http://127.0.0.1:{port}/v1", tmp_path / "log")
    finally:
        process.terminate()
        process.wait(60)


def wait_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health/ready", timeout=20).status_code == 200:
                return url
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def greedy(folder: Path) -> list[int]:
    """The tokens that transformers makes of the prompt."""
    with quiet():
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = list(PROMPT)
    with torch.inference_mode():
        for _ in range(TOKENS):
            tokens.append(int(model(torch.tensor([tokens])).logits[0, -1].argmax()))
    return tokens[len(PROMPT) :]


@pytest.mark.parametrize(
    ("layout", "model", "split"),
    [
        ("hf", "llama", ["--tensor-parallel=2"]),
        ("nemo", "llama", []),
        ("hf", "qwen3_moe", ["--pipeline-parallel=2"]),
    ],
)
def test_a_format_is_served(
    converted: Path,
    tokenizer_folder: Path,
    tmp_path: Path,
    layout: str,
    model: str,
    split: list[str],
) -> None:
    folder = converted / model / layout
    place = (f"--checkpoint={folder}", f"--checkpoint-format={layout}")
    with serving(tmp_path, *place, f"--tokenizer={tokenizer_folder}", *split) as url:
        described = httpx.get(f"{url}/engine").json()
        body = {"model": "tiny", "prompt": PROMPT, "max_tokens": TOKENS, "temperature": 0}
        answer = httpx.post(f"{url}/completions", json=body, timeout=60).json()
    assert described["checkpointDigest"] == FORMATS[layout].digest(folder)
    with quiet():
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    expected = greedy(converted / model / "hf")
    assert tokenizer.eos_token_id not in expected
    assert answer["choices"][0]["text"] == tokenizer.decode(expected)
