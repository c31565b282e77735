import json
from pathlib import Path
from typing import Any

import pytest

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.interceptors import nvcf_request
from proctor_harness.adapter.messages import Interceptor, Origin, Response
from tests.unit.harness.adapter.asking import (
    JSON_HEADERS,
    Fetcher,
    Target,
    ask,
    body,
    make,
    question,
    reply,
    site,
)

PENDING = Response(202, ((b"nvcf-reqid", b"r-1"),), Content(b""))
READY = Response(200, JSON_HEADERS, Content(json.dumps(reply()).encode()))


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvcf_request, "FIRST_WAIT_SECONDS", 0)


def built(root: Path, status: Fetcher, **config: Any) -> Interceptor:
    environ = {"NVCF_STATUS_URL": "http://status/", "NVCF_FETCH_RETRIES": "2"}
    where = site(root, fetch=status, environ=environ, api_key="key")
    return make("nvcf_request", where, **config)


async def test_an_answer_that_is_ready_is_the_answer(tmp_path: Path) -> None:
    status, target = Fetcher(), Target()
    assert (await ask(built(tmp_path, status), question(), target)).status == 200
    assert (b"nvcf-poll-seconds", b"60") in target.requests[0].headers
    assert status.asked == []


async def test_one_that_is_not_is_asked_for(tmp_path: Path) -> None:
    status = Fetcher([PENDING, READY])
    response = await ask(built(tmp_path, status, poll_seconds=5), question(), Target([PENDING]))
    assert body(response) == reply()
    headers = {"nvcf-poll-seconds": "5", "authorization": "Bearer key"}
    assert status.asked == [("GET", "http://status/r-1", headers, b"")] * 2


async def test_it_is_not_asked_for_ever(tmp_path: Path) -> None:
    status = Fetcher([PENDING] * 99)
    response = await ask(built(tmp_path, status), question(), Target([PENDING]))
    assert (response.status, response.origin) == (504, Origin.NOBODY)
    assert len(status.asked) == 3


async def test_a_status_service_that_is_away_is_a_failure_of_infrastructure(tmp_path: Path) -> None:
    response = await ask(built(tmp_path, Fetcher([None])), question(), Target([PENDING]))
    assert (response.status, response.origin) == (502, Origin.NOBODY)


async def test_bookkeeping_is_not_polled(tmp_path: Path) -> None:
    response = await ask(built(tmp_path, Fetcher()), question({}, "/tokenize"), Target([PENDING]))
    assert response.status == 202
