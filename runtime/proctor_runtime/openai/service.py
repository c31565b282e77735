"""One served model: what the routes call."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proctor_runtime.engine.protocol import Completion, EngineInfo, GenerateRequest
from proctor_runtime.openai import convert
from proctor_runtime.openai.errors import UnknownModelError
from proctor_runtime.openai.schema import ChatCompletionRequest, CompletionRequest
from proctor_runtime.tokenizer import Tokenizer
from proctor_runtime.transports.protocol import Transport


@dataclass(frozen=True, kw_only=True)
class Service:
    """A model, its tokenizer, and the way to it."""

    name: str
    transport: Transport
    tokenizer: Tokenizer
    info: EngineInfo
    max_batch_size: int
    checkpoint_digest: str

    async def complete(self, request: CompletionRequest) -> dict[str, Any]:
        """Answer a text completion."""
        self._check_model(request.model)
        prompts = convert.prompts_of(request, self.tokenizer)
        requests = convert.completion_requests(request, prompts, self.tokenizer.eos_id)
        if not requests:
            raise convert.InvalidRequestError("the request has no prompt")
        completions = await self._generate(requests)
        choices = [
            convert.completion_choice(i, request, asked.prompt, completion, self.tokenizer)
            for i, (asked, completion) in enumerate(zip(requests, completions, strict=True))
        ]
        usage = convert.usage_of(prompts, completions)
        return self._envelope("cmpl", "text_completion", choices, usage)

    async def chat(self, request: ChatCompletionRequest) -> dict[str, Any]:
        """Answer a conversation's next turn."""
        self._check_model(request.model)
        text = self.tokenizer.render_chat(convert.template_messages(request.messages))
        # The template writes the special tokens itself.
        prompt = self.tokenizer.encode(text, add_special_tokens=False)
        wanted = request.max_completion_tokens or request.max_tokens
        new = wanted or max(self.info.max_sequence_length - len(prompt), 1)
        requests = convert.chat_requests(request, prompt, new, self.tokenizer.eos_id)
        completions = await self._generate(requests)
        choices = [
            convert.chat_choice(i, request, completion, self.tokenizer)
            for i, completion in enumerate(completions)
        ]
        usage = convert.usage_of([prompt], completions)
        return self._envelope("chatcmpl", "chat.completion", choices, usage)

    async def _generate(self, requests: Sequence[GenerateRequest]) -> list[Completion]:
        for request in requests:
            convert.check_prompt(
                request.prompt,
                request.max_new_tokens,
                longest=self.info.max_sequence_length,
                vocabulary=self.info.vocab_size,
            )
        return await self.transport.generate(requests)

    def _check_model(self, name: str) -> None:
        if name != self.name:
            raise UnknownModelError(name, self.name)

    def _envelope(
        self, prefix: str, kind: str, choices: list[dict[str, Any]], usage: dict[str, int]
    ) -> dict[str, Any]:
        return {
            "id": f"{prefix}-{uuid.uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": self.name,
            "choices": choices,
            "usage": usage,
        }

    def describe(self) -> dict[str, Any]:
        """Return the effective configuration, as the operator puts it into the status."""
        return {
            "servedModelName": self.name,
            "engine": self.info.engine,
            "transport": self.transport.name,
            "device": self.info.device,
            "dtype": self.info.dtype,
            "tensorParallel": self.info.tensor_parallel,
            "pipelineParallel": self.info.pipeline_parallel,
            "maxBatchSize": self.max_batch_size,
            "maxSequenceLength": self.info.max_sequence_length,
            "numLayers": self.info.num_layers,
            "hiddenSize": self.info.hidden_size,
            "vocabSize": self.info.vocab_size,
            "checkpointDigest": self.checkpoint_digest,
        }
