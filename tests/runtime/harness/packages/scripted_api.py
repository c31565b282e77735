"""An OpenAI API whose answers are a function's, which needs nothing but Starlette."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Body = dict[str, Any]
Answer = Callable[[str, Body], str | Response | None]
"""From a prompt and its request to the text, or to a whole response; None refuses the request."""


def routes(answer: Answer, note: Callable[[Body], None]) -> list[Route]:
    """Completions and chats; `note` is given each request but the look ahead's."""

    async def endpoint(request: Request) -> Response:
        body = await request.json()
        if looks_ahead(request):
            return JSONResponse({"choices": []})
        note(body)
        return answered(answer, body)

    paths = ("completions", "chat/completions")
    return [Route(f"/v1/{path}", endpoint, methods=["POST"]) for path in paths]


def looks_ahead(request: Request) -> bool:
    """Whether it is the one question before an evaluation, which wants no certain answer."""
    return request.headers.get("user-agent") == "proctor-preflight"


def answered(answer: Answer, body: Body) -> Response:
    """One request's answer."""
    chat = "messages" in body
    asked = body["messages"][-1]["content"] if chat else body["prompt"]
    texts = [answer(prompt, body) for prompt in (asked if type(asked) is list else [asked])]
    if None in texts:
        return JSONResponse({"error": {"message": "refused"}}, 400)
    for text in texts:
        if isinstance(text, Response):
            return text
    repeated = [text for text in texts for _ in range(body.get("n") or 1)]
    choices = [
        {"index": i, "finish_reason": "stop"}
        | ({"message": {"role": "assistant", "content": text}} if chat else {"text": text})
        for i, text in enumerate(repeated)
    ]
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    names = {"id": "1", "created": 0, "model": body["model"], "object": "chat.completion"}
    return JSONResponse({**names, "choices": choices, "usage": usage})
