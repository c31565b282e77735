"""Between the OpenAI API's requests and answers and the engine's: pure functions."""

from collections.abc import Iterable, Sequence
from typing import Any

from proctor_runtime.engine.protocol import Completion, GenerateRequest, Sampling, ScoredToken
from proctor_runtime.openai.schema import (
    ChatCompletionRequest,
    ChatMessage,
    CompletionRequest,
    GenerationRequest,
)
from proctor_runtime.tokenizer import Tokenizer


class InvalidRequestError(ValueError):
    """The request is well formed and cannot be served."""


def prompts_of(request: CompletionRequest, tokenizer: Tokenizer) -> list[list[int]]:
    """Return the request's prompts as token ids, whichever of four ways they were given."""
    given = request.prompt
    several: Sequence[Any] = [given] if is_single(given) else given
    special = request.add_special_tokens
    return [
        tokenizer.encode(prompt, add_special_tokens=special) if isinstance(prompt, str) else prompt
        for prompt in several
    ]


def is_single(prompt: Any) -> bool:
    """Tell one prompt (a text or a list of ids) from a list of prompts."""
    return isinstance(prompt, str) or (bool(prompt) and isinstance(prompt[0], int))


def check_prompt(prompt: Sequence[int], new: int, *, longest: int, vocabulary: int) -> None:
    """Refuse a prompt that the model cannot take in."""
    if not prompt:
        raise InvalidRequestError("the prompt is empty: it must have one token at least")
    if max(prompt) >= vocabulary:
        raise InvalidRequestError(
            f"token id {max(prompt)} is out of range: the vocabulary has {vocabulary} tokens"
        )
    if len(prompt) + new > longest:
        raise InvalidRequestError(
            f"this model's maximum context length is {longest} tokens, but the request needs "
            f"{len(prompt) + new} ({len(prompt)} in the prompt and {new} to generate)"
        )


def sampling_of(request: GenerationRequest, copy: int) -> Sampling:
    """Return how to sample the `copy`-th of `n` completions."""
    seed = None if request.seed is None else request.seed + copy
    top_k = max(request.top_k, 0)
    return Sampling(temperature=request.temperature, top_p=request.top_p, top_k=top_k, seed=seed)


def completion_requests(
    request: CompletionRequest, prompts: Iterable[Sequence[int]], eos: int | None
) -> list[GenerateRequest]:
    """Return one engine request per choice, in the order of their indices."""
    return [
        GenerateRequest(
            prompt=tuple(prompt),
            max_new_tokens=16 if request.max_tokens is None else request.max_tokens,
            sampling=sampling_of(request, copy),
            stop_ids=() if eos is None else (eos,),
            stop_texts=request.stop_texts,
            top_logprobs=request.logprobs or 0,
            prompt_logprobs=request.echo and request.logprobs is not None,
        )
        for prompt in prompts
        for copy in range(request.n)
    ]


def chat_requests(
    request: ChatCompletionRequest, prompt: Sequence[int], new: int, eos: int | None
) -> list[GenerateRequest]:
    """Return one engine request per choice."""
    return [
        GenerateRequest(
            prompt=tuple(prompt),
            max_new_tokens=new,
            sampling=sampling_of(request, copy),
            stop_ids=() if eos is None else (eos,),
            stop_texts=request.stop_texts,
            top_logprobs=request.top_logprobs,
        )
        for copy in range(request.n)
    ]


def template_messages(messages: Iterable[ChatMessage]) -> list[dict[str, Any]]:
    """Return messages as chat templates expect them: content as one text."""
    return [{**m.model_dump(exclude_none=True), "content": text_of(m.content)} for m in messages]


def text_of(content: str | list[dict[str, Any]] | None) -> str:
    """Join a message's text parts; a model of text has no use for others."""
    if not isinstance(content, list):
        return content or ""
    for part in content:
        if part.get("type") != "text":
            raise InvalidRequestError(
                f"message parts of type {part.get('type')!r} are not supported"
            )
    return "".join(str(part.get("text", "")) for part in content)


def generated_text(completion: Completion, stops: Sequence[str], tokenizer: Tokenizer) -> str:
    """Return the new text, up to where it met a stop."""
    text = tokenizer.decode([scored.token for scored in completion.tokens])
    cuts = [at for stop in stops if (at := text.find(stop)) >= 0]
    return text[: min(cuts)] if cuts else text


def completion_choice(
    index: int,
    request: CompletionRequest,
    prompt: Sequence[int],
    completion: Completion,
    tokenizer: Tokenizer,
) -> dict[str, Any]:
    """Return one choice of a text completion."""
    text = generated_text(completion, request.stop_texts, tokenizer)
    if request.echo:
        text = echoed(request.prompt, prompt, tokenizer) + text
    logprobs = None
    if request.logprobs is not None:
        logprobs = completion_logprobs((*completion.prompt, *completion.tokens), tokenizer)
    return {
        "index": index,
        "text": text,
        "logprobs": logprobs,
        "finish_reason": completion.finish,
    }


def echoed(given: Any, prompt: Sequence[int], tokenizer: Tokenizer) -> str:
    """Return the prompt's text: as it was given, if it was."""
    return given if isinstance(given, str) else tokenizer.decode(prompt, skip_special_tokens=False)


def completion_logprobs(
    scored: Sequence[ScoredToken], tokenizer: Tokenizer
) -> dict[str, list[Any]]:
    """Return the four parallel lists of the completions API, one entry per token."""
    tokens = [tokenizer.piece(s.token) for s in scored]
    offsets, at = [], 0
    for token in tokens:
        offsets.append(at)
        at += len(token)
    return {
        "tokens": tokens,
        "token_logprobs": [s.logprob for s in scored],
        "top_logprobs": [top_by_text(s, tokenizer) for s in scored],
        "text_offset": offsets,
    }


def top_by_text(scored: ScoredToken, tokenizer: Tokenizer) -> dict[str, float] | None:
    """Return the alternatives by their text, the realised token always among them.

    Different tokens can have the same text (parts of characters do); the likelier one stands.
    """
    if scored.logprob is None:
        return None
    by_text: dict[str, float] = {}
    for token, logprob in (*scored.top, (scored.token, scored.logprob)):
        by_text.setdefault(tokenizer.piece(token), logprob)
    return by_text


def chat_choice(
    index: int, request: ChatCompletionRequest, completion: Completion, tokenizer: Tokenizer
) -> dict[str, Any]:
    """Return one choice of a chat completion."""
    content = generated_text(completion, request.stop_texts, tokenizer)
    logprobs = None
    if request.logprobs:
        logprobs = {"content": [chat_logprob(scored, tokenizer) for scored in completion.tokens]}
    return {
        "index": index,
        "message": {"role": "assistant", "content": content},
        "logprobs": logprobs,
        "finish_reason": completion.finish,
    }


def chat_logprob(scored: ScoredToken, tokenizer: Tokenizer) -> dict[str, Any]:
    """Return one token's entry of the chat API's log-probabilities."""

    def entry(token: int, logprob: float | None) -> dict[str, Any]:
        text = tokenizer.piece(token)
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

    top = [entry(token, logprob) for token, logprob in scored.top]
    return {**entry(scored.token, scored.logprob), "top_logprobs": top}


def usage_of(prompts: Iterable[Sequence[int]], completions: Iterable[Completion]) -> dict[str, int]:
    """Count tokens as OpenAI does: each prompt once, each choice's new tokens."""
    prompt = sum(map(len, prompts))
    new = sum(len(completion.tokens) for completion in completions)
    return {"prompt_tokens": prompt, "completion_tokens": new, "total_tokens": prompt + new}
