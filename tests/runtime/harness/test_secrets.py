"""The API key is planted, everything is done with it, and all that was written is searched."""

import json
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.runtime.harness.model_server import ModelServer, listening
from tests.runtime.harness.processes import adapter

CANARY = "sk-canary-4f2a9c1e7b"
GATEWAY = "gw-canary-77aa31bb55"
ROUTE = "rt-canary-c0ffee0042"
EVERYTHING = {
    "log_failed_requests": True,
    "interceptors": [
        {"name": "request_logging", "config": {"max_requests": None}},
        {"name": "logging"},
        {"name": "response_logging"},
        {"name": "http_pairs_dump", "config": {"dump_path": "pairs.json"}},
        {"name": "caching", "config": {"save_requests": True, "reuse_cached_responses": True}},
        {"name": "payload_modifier", "config": {"headers_to_add": {"X-Api-Key": GATEWAY}}},
        {"name": "endpoint", "config": {"max_retries": 1, "extra_headers": {"X-Route": ROUTE}}},
        {"name": "response_stats"},
        {"name": "log_tokens"},
    ],
    "post_eval_hooks": [{"name": "post_eval_report", "config": {"report_types": ["html", "json"]}}],
}


def written(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("end", ["", "\n"], ids=["", "of a file"])
@pytest.mark.parametrize("how", ["environment", "configuration"])
def test_the_key_is_nowhere(how: str, end: str, model: ModelServer, tmp_path: Path) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    config = json.loads(json.dumps(EVERYTHING))
    env = {"API_KEY": CANARY + end}
    if how == "configuration":
        config["interceptors"][6]["config"]["api_key"] = CANARY + end
        env = {}
    heard = []
    with adapter(model.url, artifacts, ADAPTER_CONFIG=json.dumps(config), **env) as process:
        with httpx.Client(base_url=process.url, headers={"authorization": "Bearer none"}) as client:
            for path in (
                "/v1/tell/completions",
                "/v1/tell/completions?stream=1",
                "/v1/completions",
                "/v1/nowhere/completions",
                "/v1/echo",
                "/v1/broken",
            ):
                try:
                    answer = client.post(path, json={"prompt": "Q: 1+2\nA:", "model": "m"})
                except httpx.RemoteProtocolError:
                    continue
                heard.append(str(answer.headers) + answer.text)
            heard += [client.get(page).text for page in ("/progress", "/metrics", "/healthz")]
        process.stop()
    assert f"Bearer {CANARY}" in {headers["authorization"] for headers in model.headers}
    assert GATEWAY in {headers.get("x-api-key") for headers in model.headers}
    assert ROUTE in {headers.get("x-route") for headers in model.headers}
    found = written(tmp_path)
    assert len(found) >= 6
    for name, content in found.items():
        assert CANARY.encode() not in content, name
        assert GATEWAY.encode() not in content, name
        assert ROUTE.encode() not in content, name
    for words in heard:
        assert CANARY not in words


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"headers_to_rename": {"Authorization": "X-Gateway"}}, "x-gateway"),
        ({"headers_to_remove": ["authorization"]}, None),
    ],
    ids=["renamed", "removed"],
)
def test_a_key_that_an_interceptor_moves(
    changes: dict[str, object], name: str | None, model: ModelServer, tmp_path: Path
) -> None:
    config = {
        "log_failed_requests": True,
        "interceptors": [
            {"name": "payload_modifier", "config": changes},
            {"name": "request_logging", "config": {"max_requests": None}},
            {"name": "http_pairs_dump", "config": {"dump_path": "pairs.json"}},
            {"name": "caching", "config": {"save_requests": True}},
            "endpoint",
        ],
    }
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    told = {"API_KEY": CANARY, "ADAPTER_CONFIG": json.dumps(config)}
    with adapter(model.url, artifacts, **told) as process:
        for path in ("/v1/tell/completions", "/v1/completions", "/v1/nowhere/completions"):
            httpx.post(f"{process.url}{path}", json={"prompt": "Q: 1+2\nA:", "model": "m"})
        process.stop()
    assert {headers.get("authorization") for headers in model.headers} == {None}
    if name:
        assert {headers[name] for headers in model.headers} == {f"Bearer {CANARY}"}
    for file, content in written(tmp_path).items():
        assert CANARY.encode() not in content, file


def test_a_broken_configuration_does_not_tell_it(model: ModelServer, tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    endpoint = {"name": "endpoint", "config": {"api_key": [CANARY], "max_retrys": 1}}
    ended = subprocess.run(
        [sys.executable, "-m", "proctor_harness.adapter"],
        env=os.environ
        | {
            "UPSTREAM_URL": model.url,
            "MOUNT_ARTIFACTS": str(tmp_path),
            "ADAPTER_CONFIG": json.dumps({"interceptors": [endpoint]}),
            "TERMINATION_MESSAGE_PATH": str(tmp_path / "termination"),
        },
        capture_output=True,
        check=False,
        timeout=60,
    )
    said = ended.stdout + ended.stderr + (tmp_path / "termination").read_bytes()
    assert ended.returncode == 64
    assert b"max_retrys: unknown field; did you mean max_retries" in said
    assert CANARY.encode() not in said


def test_a_look_ahead_does_not_tell_it(tmp_path: Path) -> None:
    async def refuse(request: Request) -> Response:
        key = request.headers["authorization"]
        return JSONResponse({"error": {"message": f"wrong key: {key}"}}, 401, {"x-key": key})

    routes = [Route("/{path:path}", refuse, methods=["GET", "POST"])]
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    with (
        listening(Starlette(routes=routes)) as url,
        adapter(url, artifacts, API_KEY=CANARY) as process,
    ):
        heard = httpx.get(f"{process.url}/target").text
        asked = {"model": "m", "endpointType": "chat"}
        said = httpx.post(f"{process.url}/target", json=asked, timeout=30).json()
        process.stop()
    assert (said["status"], "wrong key: Bearer [redacted]" in said["words"]) == (401, True)
    assert CANARY not in heard
    assert all(CANARY.encode() not in content for content in written(tmp_path).values())
