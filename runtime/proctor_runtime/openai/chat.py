"""Chat completions: from conversation to engine requests, and from completions to the answer."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proctor_runtime.engine.protocol import Completion, GenerateRequest
from proctor_runtime.openai.answer import Envelope, ServedModel, spoken, usage_of
from proctor_runtime.openai.completions import stop_reason
from proctor_runtime.openai.logprobs import chat_logprobs
from proctor_runtime.openai.message import Message, MessageRules, read_message, written
from proctor_runtime.openai.requests import (
    ContextOverflowError,
    InvalidRequestError,
    engine_requests,
    text_rules,
)
from proctor_runtime.openai.schema.chat import ChatCompletionRequest, ChatMessage, Conversation
from proctor_runtime.openai.text import TextRules, context_of, whole_text
from proctor_runtime.openai.tool_parsers import TOOL_PARSERS


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatPlan:
    """A request ready for the engine."""

    request: ChatCompletionRequest
    model: ServedModel
    prompt: Sequence[int]
    asked: Sequence[GenerateRequest]
    text_rules: TextRules
    message_rules: MessageRules


def plan_chat(request: ChatCompletionRequest, model: ServedModel) -> ChatPlan:
    """Return what to ask of the engine, and how to read its answer."""
    text = chat_prompt(request, model, with_tools=request.may_call_tools)
    rules = message_rules(request, text, model)
    special = request.add_special_tokens
    prompt = model.tokenizer.encode(text + rules.forced, add_special_tokens=special)
    wanted = GenerateRequest(
        prompt=tuple(prompt),
        max_new_tokens=new_tokens(request, len(prompt), model.info.max_sequence_length),
        top_logprobs=request.top_logprobs,
    )
    # What marks calls and reasoning is a special token in some vocabularies.
    texts = text_rules(
        request,
        context=context_of(prompt, model.tokenizer) if request.continue_final_message else (),
        keep_special_tokens=not rules.are_trivial,
    )
    asked = engine_requests(request, wanted, request.n, model.tokenizer.eos_ids, texts)
    return ChatPlan(
        request=request,
        model=model,
        prompt=prompt,
        asked=asked,
        text_rules=texts,
        message_rules=rules,
    )


def new_tokens(request: ChatCompletionRequest, prompt: int, longest: int) -> int:
    """Return how many tokens to make at most: as asked, or as many as there is room for."""
    if prompt >= longest:
        raise ContextOverflowError(longest, prompt, 1)
    return request.max_completion_tokens or request.max_tokens or longest - prompt


def message_rules(request: ChatCompletionRequest, prompt: str, model: ServedModel) -> MessageRules:
    """Return how to read the answers."""
    reasoning = model.reasoning_parser
    tools = model.tool_parser if request.may_call_tools else None
    if request.may_call_tools and tools is None:
        raise InvalidRequestError(
            "this deployment reads no tool calls: start it with --tool-call-parser "
            f"({', '.join(TOOL_PARSERS)}), or set tool_choice to 'none'"
        )
    forces = tools is not None and request.tool_choice not in (None, "auto")
    return MessageRules(
        tools=tools,
        several_calls=request.parallel_tool_calls,
        forced=tools.opening(request.forced_function) if tools and forces else "",
        reasoning=reasoning,
        inside_reasoning=reasoning is not None and reasoning.begins_inside(prompt),
    )


def chat_prompt(conversation: Conversation, model: ServedModel, *, with_tools: bool) -> str:
    """Return the conversation as the model's template writes it."""
    options: dict[str, Any] = dict(conversation.chat_template_kwargs)
    if conversation.reasoning_effort is not None:
        options.setdefault("reasoning_effort", conversation.reasoning_effort)
    if with_tools:
        # As they came: templates show the model whatever a tool says of itself.
        options["tools"] = [tool.model_dump(exclude_unset=True) for tool in conversation.tools]
    goes_on = conversation.continue_final_message
    return model.tokenizer.render_chat(
        template_messages(conversation.messages),
        add_generation_prompt=conversation.add_generation_prompt and not goes_on,
        continue_final_message=goes_on,
        **options,
    )


def template_messages(messages: Iterable[ChatMessage]) -> list[dict[str, Any]]:
    """Return messages as templates expect them: content as one text, arguments as objects."""
    return [
        {**with_read_arguments(m.model_dump(exclude_none=True)), "content": text_of(m.content)}
        for m in messages
    ]


def text_of(content: str | list[dict[str, Any]] | None) -> str:
    """Join a message's text parts; a model of text has no use for others."""
    if not isinstance(content, list):
        return content or ""
    for part in content:
        if part.get("type") != "text":
            raise InvalidRequestError(
                f"message parts of type {part.get('type')!r:.80} are not supported: this is a "
                "model of text"
            )
    return "".join(str(part.get("text", "")) for part in content)


def with_read_arguments(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message with its calls' arguments parsed: templates write them as JSON again."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    return {**message, "tool_calls": [with_object(call) for call in calls]}


def with_object(call: Any) -> Any:
    """Return a call whose arguments are an object, if they are the text of one."""
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("arguments"), str):
        return call
    try:
        arguments = json.loads(function["arguments"] or "{}")
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(
            f"tool_calls[].function.arguments must be the text of a JSON object: {error}"
        ) from error
    return {**call, "function": {**function, "arguments": arguments}}


def chat_answer(
    plan: ChatPlan, completions: Sequence[Completion], envelope: Envelope
) -> dict[str, Any]:
    """Return the whole answer."""
    choices = [chat_choice(i, plan, completion) for i, completion in enumerate(completions)]
    made = sum(len(completion.tokens) for completion in completions)
    return envelope.around(choices, usage=usage_of([plan.prompt], made))


def chat_choice(index: int, plan: ChatPlan, completion: Completion) -> dict[str, Any]:
    """Return one choice."""
    tokenizer = plan.model.tokenizer
    text, stop = whole_text(tokenizer, plan.text_rules, spoken(completion))
    message = read_message(text, plan.message_rules, final=True)
    logprobs = chat_logprobs(completion.tokens, tokenizer) if plan.request.logprobs else None
    return {
        "index": index,
        "message": written(message),
        "logprobs": logprobs,
        "finish_reason": chat_finish("stop" if stop is not None else completion.finish, message),
        "stop_reason": stop_reason(stop, completion.stop, plan.request.stop_token_ids),
    }


def chat_finish(finish: str, message: Message) -> str:
    """Return why the turn ended: for its calls, if it was not cut off."""
    return "tool_calls" if message.calls and finish == "stop" else finish
