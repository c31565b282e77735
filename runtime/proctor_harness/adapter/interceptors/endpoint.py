"""``endpoint``: how the target is asked.

The last link before the cache. Its configuration also says how often, for how long and by how many
at once the target is asked; `chain.py` builds what does that.
"""

from dataclasses import replace
from typing import Annotated

from pydantic import Field, SecretStr

from proctor_harness.adapter import openai, sse
from proctor_harness.adapter.configuration import AddedHeaders, InterceptorConfig
from proctor_harness.adapter.content import Content, JsonObject
from proctor_harness.adapter.http.wire import FRAMING
from proctor_harness.adapter.messages import Endpoint, Headers, Interceptor, Request, Response
from proctor_harness.adapter.retry import RETRIED_STATUSES, RetryPolicy
from proctor_harness.adapter.rewrite import changed
from proctor_harness.adapter.site import Site

TRANSPORT = FRAMING | {b"host"}


class Config(InterceptorConfig):
    """Fields of ``endpoint``."""

    upstream_url: str | None = None
    """The target; in a pod the run says it, and this must be absent."""
    api_key: SecretStr | None = None
    """The target's API key; in a pod the run's Secret gives it, and this must be absent."""
    extra_body: JsonObject | None = None
    """Parameters of every question, in place of the harness's."""
    extra_headers: AddedHeaders | None = None
    """Headers of every question, in place of the harness's."""
    request_timeout: Annotated[float, Field(gt=0)] | None = None
    """Seconds for one attempt, from question to the end of the answer."""
    total_timeout: Annotated[float, Field(gt=0)] | None = None
    """Seconds for one question with its retries and the waits between them."""
    max_retries: Annotated[int, Field(ge=0)] = 0
    """Times that a question is asked again; most harnesses do so too."""
    retry_on_status: list[int] | None = None
    """Statuses after which it is: 429, 502, 503 and 504. A broken connection always is one."""
    max_concurrent: Annotated[int, Field(ge=1)] | None = None
    """Questions in flight; without, the harness decides."""
    model_traffic_store_id: str | None = None
    """Accepted and without effect."""

    @property
    def retries(self) -> RetryPolicy:
        """What to do after a failure."""
        given = self.retry_on_status
        statuses = RETRIED_STATUSES if given is None else frozenset(given)
        return RetryPolicy(self.max_retries, statuses, self.total_timeout)


def build(config: Config, _: Site) -> Interceptor:
    """Add what every question has, and put words where the target has none."""
    added = {
        n.lower().encode(): v.encode("latin-1") for n, v in (config.extra_headers or {}).items()
    }
    headers: Headers = tuple(pair for pair in added.items() if pair[0] not in TRANSPORT)
    body = config.extra_body

    async def intercept(request: Request, call_next: Endpoint) -> Response:
        if not openai.is_question(request):
            return await call_next(request)
        if headers:
            kept = tuple(pair for pair in request.headers if pair[0] not in added)
            request = replace(request, headers=kept + headers)
        if body:
            request = changed(request, lambda asked: {**asked, **body})
        return with_text(await call_next(request))

    return intercept


def with_text(response: Response) -> Response:
    """The response with an empty text where a chat answer's content is null.

    Harnesses take the content for a string, and crash of null.
    """
    body = response.body
    if not isinstance(body, Content) or b"null" not in body.raw or response.status != 200:
        return response
    answer = None if sse.is_event_stream(response.headers) else body.object
    if not answer or not any(lacks_text(choice) for choice in openai.choices(answer)):
        return response
    choices = [
        spoken(choice) if lacks_text(choice) else choice for choice in openai.choices(answer)
    ]
    return replace(response, body=Content.of({**answer, "choices": choices}))


def lacks_text(choice: JsonObject) -> bool:
    """Whether a chat choice's content is null."""
    message = openai.message(choice)
    return "content" in message and message["content"] is None


def spoken(choice: JsonObject) -> JsonObject:
    """The choice with an empty content."""
    return {**choice, "message": {**choice["message"], "content": ""}}
