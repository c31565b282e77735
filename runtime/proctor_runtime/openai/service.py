"""One served model: what the routes call."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from proctor_runtime.engine.protocol import GenerateRequest
from proctor_runtime.openai.answer import Envelope, ServedModel, usage_of
from proctor_runtime.openai.aside import aside
from proctor_runtime.openai.chat import ChatPlan, chat_answer, plan_chat
from proctor_runtime.openai.completions import CompletionPlan, completion_answer, plan_completion
from proctor_runtime.openai.logprobs import check_numbers
from proctor_runtime.openai.requests import InvalidRequestError, check_request, count_prompts
from proctor_runtime.openai.schema.chat import ChatCompletionRequest
from proctor_runtime.openai.schema.completion import CompletionRequest
from proctor_runtime.openai.streams import ChatStream, ChoiceStream, CompletionStream
from proctor_runtime.transports.protocol import Transport


class UnknownModelError(Exception):
    """The request names a model that is not served here."""

    def __init__(self, name: str, served: str) -> None:
        super().__init__(f"the model {name!r:.200} does not exist; served here: {served!r}")


@dataclass(frozen=True, kw_only=True)
class Service:
    """A model and the way to it."""

    model: ServedModel
    transport: Transport
    most_choices: int = 4096
    """Of one request: what could never be queued at once is refused for good."""

    async def complete(self, request: CompletionRequest) -> dict[str, Any]:
        """Answer a text completion."""
        plan = await self._plan_completion(request)
        envelope = Envelope.new("cmpl", "text_completion", self.model.name)
        return completion_answer(plan, await self.transport.generate(plan.asked), envelope)

    async def chat(self, request: ChatCompletionRequest) -> dict[str, Any]:
        """Answer a conversation's next turn."""
        plan = await self._plan_chat(request)
        envelope = Envelope.new("chatcmpl", "chat.completion", self.model.name)
        return chat_answer(plan, await self.transport.generate(plan.asked), envelope)

    async def stream_completion(self, request: CompletionRequest) -> AsyncGenerator[dict[str, Any]]:
        """Answer a text completion chunk by chunk."""
        plan = await self._plan_completion(request)
        envelope = Envelope.new("cmpl", "text_completion", self.model.name)
        choices = [CompletionStream(plan, index) for index in range(len(plan.asked))]
        # The last chunk has it, and then all others say so.
        fields = {"usage": None} if request.include_usage else {}
        async for choice in self._stream(plan.asked, choices):
            yield envelope.around([choice], **fields)
        if request.include_usage:
            usage = usage_of([p.ids for p in plan.prompts], sum(c.made for c in choices))
            yield envelope.around([], usage=usage)

    async def stream_chat(self, request: ChatCompletionRequest) -> AsyncGenerator[dict[str, Any]]:
        """Answer a conversation's next turn chunk by chunk."""
        plan = await self._plan_chat(request)
        envelope = Envelope.new("chatcmpl", "chat.completion.chunk", self.model.name)
        choices = [ChatStream(plan, index) for index in range(len(plan.asked))]
        fields = {"usage": None} if request.include_usage else {}
        async for choice in self._stream(plan.asked, choices):
            yield envelope.around([choice], **fields)
        if request.include_usage:
            usage = usage_of([plan.prompt], sum(c.made for c in choices))
            yield envelope.around([], usage=usage)

    async def _stream(
        self, asked: Sequence[GenerateRequest], choices: Sequence[ChoiceStream]
    ) -> AsyncGenerator[dict[str, Any]]:
        """Yield what the choices have to say, until all are finished."""
        async with self.transport.stream(asked) as arrivals:
            async for events in arrivals:
                for index, event in events:
                    for choice in choices[index].accept(event):
                        yield choice
                if all(choice.finished for choice in choices):
                    return

    async def _plan_completion(self, request: CompletionRequest) -> CompletionPlan:
        self._check_model(request.model)
        # Before any is made: a short body can ask for very many.
        self._check_choices(request.candidates * count_prompts(request.prompt))
        texts = [request.prompt] if isinstance(request.prompt, str) else request.prompt
        length = sum(len(text) for text in texts if isinstance(text, str))
        plan = await aside(length, plan_completion, request, self.model)
        self._check(plan.asked)
        if request.logprobs is not None:
            check_numbers(plan.asked)
        return plan

    async def _plan_chat(self, request: ChatCompletionRequest) -> ChatPlan:
        self._check_model(request.model)
        self._check_choices(request.n)
        length = sum(len(str(message.content)) for message in request.messages)
        plan = await aside(length, plan_chat, request, self.model)
        self._check(plan.asked)
        if request.logprobs:
            check_numbers(plan.asked)
        return plan

    def _check(self, asked: Sequence[GenerateRequest]) -> None:
        """Refuse what the engine could never do."""
        # The copies of a prompt share it.
        for one in {id(one.prompt): one for one in asked}.values():
            check_request(one, self.model.info)

    def _check_choices(self, count: int) -> None:
        if count > self.most_choices:
            raise InvalidRequestError(
                f"the request has {count} choices, prompts times n or best_of, but "
                f"{self.most_choices} is the most that may wait here: send several requests"
            )

    def _check_model(self, name: str) -> None:
        if name != self.model.name:
            raise UnknownModelError(name, self.model.name)
