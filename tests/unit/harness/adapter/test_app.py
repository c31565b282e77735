import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proctor_harness.adapter.app import Adapter, addressed
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.disk import Journal
from proctor_harness.adapter.item_log import ItemLog
from proctor_harness.adapter.messages import Endpoint, Headers, Request, Response
from tests.unit.harness.adapter.asking import Target, body, question, reply


def built(root: Path, target: Endpoint, *interceptors: Any) -> tuple[Adapter, Journal, list[str]]:
    finished: list[str] = []
    journal = Journal(root / "requests.jsonl")

    async def finish() -> None:
        finished.append("finished")

    return Adapter(interceptors, target, ItemLog(journal, "pod-1"), finish), journal, finished


def get(target: str, method: str = "GET", content: bytes = b"") -> Request:
    return Request(method, target, (), Content(content))


async def test_its_own_pages_are_not_the_targets(tmp_path: Path) -> None:
    target = Target()
    adapter, _, finished = built(tmp_path, target)
    assert (await adapter(get("/healthz"))).status == 200
    assert body(await adapter(get("/progress", "POST", b'{"total": 3}')))["total"] == 3
    assert (await adapter(get("/progress", "POST", b'{"total": "x"}'))).status == 400
    assert (await adapter(get("/metrics"))).status == 200
    assert (await adapter(get("/adapterserver/run-post-hook", "POST"))).status == 200
    assert finished == ["finished"]
    assert target.requests == []
    await adapter(get("/v1/models"))
    assert len(target.requests) == 1


def test_what_is_said_to_the_adapter_stays_there() -> None:
    headers = (
        (b"host", b"127.0.0.1:9100"),
        (b"authorization", b"Bearer made-up"),
        (b"connection", b"keep-alive"),
        (b"content-length", b"2"),
        (b"x-own", b"1"),
    )
    request = addressed(Request("POST", "/v1/completions", headers, Content(b"{}")))
    assert request.headers == ((b"x-own", b"1"),)
    assert (request.target, request.session) == ("/v1/completions", None)
    keyed = addressed(request, ((b"authorization", b"Bearer key"),))
    assert keyed.headers == ((b"x-own", b"1"), (b"authorization", b"Bearer key"))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/s/ab12/v1/chat/completions?x=1", ("ab12", "/v1/chat/completions?x=1")),
        ("/s/AB/v1", (None, "/s/AB/v1")),
        ("/s/ab", (None, "/s/ab")),
        ("/v1/s/ab/x", (None, "/v1/s/ab/x")),
    ],
)
def test_a_session_is_in_the_base_url(target: str, expected: tuple[str | None, str]) -> None:
    request = addressed(get(target))
    assert (request.session, request.target) == expected


async def test_each_request_is_a_line_of_the_item_log(tmp_path: Path) -> None:
    adapter, journal, _ = built(tmp_path, Target([reply(), 500]))
    for _ in range(2):
        await adapter(question())
    journal.flush()
    first, second = map(json.loads, journal.path.read_text().splitlines())
    assert (first["id"], first["status"], first["items"], first["session"]) == (1, 200, 1, "pod-1")
    assert "error" not in first
    assert (second["id"], second["status"]) == (2, 500)


async def test_a_full_disk_does_not_end_an_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctor_harness.adapter.disk.PENDING_BYTES", -1)
    adapter, _, _ = built(tmp_path, Target())
    response: Response = await adapter(question())
    assert response.status == 200


@pytest.mark.parametrize(
    ("content", "models"),
    [
        (b'{"object": "list", "data": [{"id": "a", "x": 1}, {"id": "b"}]}', ["a", "b"]),
        (b'{"data": [{"name": "a"}]}', []),
        (b"sk-secret is wrong", []),
    ],
    ids=["a list", "another list", "words"],
)
async def test_what_the_target_says_of_itself_is_no_part_of_the_evaluation(
    tmp_path: Path, content: bytes, models: list[str]
) -> None:
    headers = ((b"content-type", b"application/json"),)
    target = Target([Response(200, headers, Content(content))])
    adapter, _, _ = built(tmp_path, target)
    found = body(await adapter(get("/target")))
    assert found == {"status": 200, "keyed": False, "models": models}
    assert target.requests[0].target == "/v1/models"
    assert body(await adapter(get("/progress")))["failed"] == 0


async def test_the_key_enters_the_chain_and_reaches_what_passes_it_by(tmp_path: Path) -> None:
    seen, target = list[Headers](), Target()
    renamed: Headers = ((b"api-key", b"Bearer key"),)

    async def rename(request: Request, call_next: Endpoint) -> Response:
        seen.append(request.headers)
        return await call_next(replace(request, headers=renamed))

    log = ItemLog(Journal(tmp_path / "requests.jsonl"), "pod-1")

    async def finish() -> None:
        pass

    adapter = Adapter([rename], target, log, finish, key="key", at_target=renamed)
    await adapter(get("/v1/completions", "POST", b"{}"))
    assert seen == [((b"authorization", b"Bearer key"),)]
    assert body(await adapter(get("/target")))["keyed"] is True
    asked = b'{"model": "m", "endpointType": "chat"}'
    await adapter(get("/target", "POST", asked))
    assert len(target.requests) == 3
    for request in target.requests:
        assert renamed[0] in request.headers
        assert b"authorization" not in dict(request.headers)
