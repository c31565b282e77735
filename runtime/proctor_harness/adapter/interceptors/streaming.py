"""``streaming``: puts a streamed answer together, for what wants it whole."""

from dataclasses import replace

from proctor_harness.adapter import openai, sse
from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import Content, JsonObject
from proctor_harness.adapter.errors import UnreadableError
from proctor_harness.adapter.messages import Endpoint, Interceptor, Request, Response, whole
from proctor_harness.adapter.rewrite import changed
from proctor_harness.adapter.site import Site


class Config(InterceptorConfig):
    """Fields of ``streaming``."""


def build(_: Config, __: Site) -> Interceptor:
    """Make each event stream one answer."""
    return intercept


async def intercept(request: Request, call_next: Endpoint) -> Response:
    """Pass on, and wait for the end of what comes back."""
    response = await call_next(changed(request, with_usage))
    if not (openai.is_question(request) and sse.is_event_stream(response.headers)):
        return response
    response = await whole(response)
    assert isinstance(response.body, Content)  # noqa: S101 - whole() says so
    answer = sse.coalesced(response.body.raw)
    if answer is None:
        raise UnreadableError("the target's stream holds no answer")
    headers = tuple(pair for pair in response.headers if pair[0] != b"content-type")
    return replace(
        response,
        status=status_of(response.status, answer),
        headers=(*headers, (b"content-type", b"application/json")),
        body=Content.of(answer),
    )


def with_usage(asked: JsonObject) -> JsonObject:
    """The question asking for token counts, which streams leave out unless they are asked for."""
    options = asked.get("stream_options") or {}
    if asked.get("stream") is not True or "include_usage" in options:
        return asked
    return {**asked, "stream_options": {**options, "include_usage": True}}


def status_of(status: int, answer: JsonObject) -> int:
    """An error in the stream is an error, although the stream began well."""
    if "error" not in answer or status >= 300:
        return status
    error = answer["error"] if isinstance(answer["error"], dict) else {}
    said = error.get("status") or error.get("status_code") or error.get("code")
    return said if isinstance(said, int) and 400 <= said < 600 else 502
