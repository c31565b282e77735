"""An interceptor's surroundings: a question, a target that answers it, and a site."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proctor_harness.adapter.content import Content, JsonObject
from proctor_harness.adapter.disk import Disk
from proctor_harness.adapter.figures import Figures
from proctor_harness.adapter.http.incoming import NoAnswerError
from proctor_harness.adapter.interceptors import INTERCEPTORS
from proctor_harness.adapter.messages import (
    BrokenAnswerError,
    Headers,
    Interceptor,
    Request,
    Response,
    Stream,
    primed,
    whole,
)
from proctor_harness.adapter.site import Site

CHAT = "/v1/chat/completions"
JSON_HEADERS: Headers = ((b"content-type", b"application/json"),)
SSE_HEADERS: Headers = ((b"content-type", b"text/event-stream"),)

NO_ANSWERS = {
    "empty": b"",
    "warming up": b'{"message": "warming up"}',
    "no choices": b'{"choices": []}',
    "a choice of nothing": b'{"choices": [{"index": 0}]}',
    "null": b'{"choices": [{"index": 0, "message": null}]}',
    "no object": b"[]",
    "HTML": b"<!doctype html><title>Just a moment</title>",
    "cut": b'{"choices": [{"index": 0, "message": {"role": "assi',
}
"""What a gateway says with status 200 where it has nothing to say."""


def question(
    body: Any = None, target: str = CHAT, method: str = "POST", session: str | None = None
) -> Request:
    asked = {"messages": [{"role": "user", "content": "2+2?"}]} if body is None else body
    return Request(method, target, JSON_HEADERS, Content(json.dumps(asked).encode()), session)


def reply(content: Any = "4", **fields: Any) -> JsonObject:
    """A chat answer of one choice; `fields` go into its message."""
    message = {"role": "assistant", "content": content, **fields}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


async def pieces(*parts: bytes, error: Exception | None = None) -> Stream:
    yield b""
    for part in parts:
        yield part
    if error:
        raise error


async def streamed(*parts: bytes, broken: bool = False) -> Response:
    error = BrokenAnswerError("cut") if broken else None
    return Response(200, SSE_HEADERS, await primed(pieces(*parts, error=error)))


@dataclass
class Target:
    """Answers with what it is given, and remembers what it was asked."""

    answers: list[Any] = field(default_factory=list)
    """Objects, statuses, responses or exceptions; the last is repeated."""
    requests: list[Request] = field(default_factory=list)

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else (self.answers or [reply()])[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Response):
            return answer
        if isinstance(answer, int):
            return Response(answer, JSON_HEADERS, Content(b'{"error": {"message": "no"}}'))
        return Response(200, JSON_HEADERS, Content(json.dumps(answer).encode()))

    @property
    def seen(self) -> list[Any]:
        return [json.loads(request.body.raw) for request in self.requests]


@dataclass
class Fetcher:
    """Answers what is fetched from elsewhere."""

    answers: list[Any] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    async def __call__(
        self, method: str, url: str, headers: dict[str, str], body: bytes
    ) -> Response:
        self.asked.append((method, url, headers, body))
        answer = self.answers.pop(0) if self.answers else 200
        if answer is None:
            raise NoAnswerError("refused")
        if isinstance(answer, Response):
            return answer
        return Response(answer, JSON_HEADERS, Content(b"{}"))


def site(root: Path, **fields: Any) -> Site:
    disk = Disk()
    default: dict[str, Any] = {
        "artifacts": root,
        "url": "http://model:8080",
        "identity": "model-1",
        "session": "pod-1",
        "api_key": None,
        "environ": {},
        "disk": disk,
        "figures": Figures(root, disk),
        "fetch": Fetcher(),
    }
    return Site(**default | fields)


def make(name: str, where: Site, **config: Any) -> Interceptor:
    module = INTERCEPTORS[name]
    return module.build(module.Config.model_validate(config), where)


async def ask(interceptor: Interceptor, request: Request, target: Target) -> Response:
    """The response in one piece."""
    return await whole(await interceptor(request, target))


def body(response: Response) -> Any:
    assert isinstance(response.body, Content)
    return json.loads(response.body.raw)
