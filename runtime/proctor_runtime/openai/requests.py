"""From the API's requests to the engine's: pure functions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from proctor_runtime.engine.protocol import EngineInfo, GenerateRequest, Sampling
from proctor_runtime.openai.schema.completion import CompletionRequest
from proctor_runtime.openai.schema.generation import INT64_MAX, GenerationRequest
from proctor_runtime.openai.text import TextRules
from proctor_runtime.tokenizer import Tokenizer


class InvalidRequestError(ValueError):
    """The request is well formed and cannot be served."""


class ContextOverflowError(InvalidRequestError):
    """The request needs more tokens than the model can hold."""

    def __init__(self, longest: int, prompt: int, new: int) -> None:
        super().__init__(
            f"this model's maximum context length is {longest} tokens, but the request needs "
            f"{prompt + new} ({prompt} in the prompt and {new} to generate): "
            "shorten the prompt or ask for fewer tokens"
        )


def prompts_of(request: CompletionRequest, tokenizer: Tokenizer) -> list[list[int]]:
    """Return the request's prompts as token ids, whichever of four ways they were given."""
    given = request.prompt
    several: Sequence[Any] = [given] if is_single(given) else given
    special = request.add_special_tokens
    return [
        tokenizer.encode(prompt, add_special_tokens=special) if isinstance(prompt, str) else prompt
        for prompt in several
    ]


def texts_of(request: CompletionRequest) -> Iterator[str | None]:
    """Yield the prompts' texts as they were given; None for token ids."""
    given = request.prompt
    several: Sequence[Any] = [given] if is_single(given) else given
    return (prompt if isinstance(prompt, str) else None for prompt in several)


def is_single(prompt: Any) -> bool:
    """Tell one prompt (a text or a list of ids) from a list of prompts."""
    return isinstance(prompt, str) or (bool(prompt) and isinstance(prompt[0], int))


def count_prompts(prompt: Any) -> int:
    """Count the prompts of a request."""
    return 1 if is_single(prompt) else len(prompt)


def check_request(request: GenerateRequest, info: EngineInfo) -> None:
    """Refuse what the model cannot take in."""
    prompt, new = request.prompt, request.max_new_tokens
    if not prompt:
        raise InvalidRequestError("the prompt is empty: it must have one token at least")
    check_tokens(prompt, info)
    check_tokens([token for token, _ in request.sampling.logit_bias], info)
    if len(prompt) + new > info.max_sequence_length:
        raise ContextOverflowError(info.max_sequence_length, len(prompt), new)


def check_tokens(tokens: Sequence[int], info: EngineInfo) -> None:
    """Refuse tokens that the model does not know."""
    if (largest := max(tokens, default=0)) >= info.vocab_size:
        raise InvalidRequestError(
            f"token id {largest} is out of range: the vocabulary has {info.vocab_size} tokens"
        )


def engine_requests(
    request: GenerationRequest,
    wanted: GenerateRequest,
    copies: int,
    eos: Iterable[int],
    rules: TextRules,
) -> list[GenerateRequest]:
    """Return `copies` of what is wanted, with the request's sampling and ends filled in.

    The engine ends where the text does: it looks for the stop texts by the text's own `rules`.
    """
    if request.min_tokens > wanted.max_new_tokens:
        raise InvalidRequestError(
            f"min_tokens={request.min_tokens} is more than the {wanted.max_new_tokens} tokens "
            "to generate"
        )
    common = replace(
        wanted,
        min_new_tokens=rules.min_tokens,
        stop_ids=stop_ids_of(request, eos),
        stop_texts=rules.stops,
        stop_context=rules.context,
        skip_special_tokens=rules.skip_special_tokens,
    )
    return [replace(common, sampling=sampling_of(request, copy)) for copy in range(copies)]


def sampling_of(request: GenerationRequest, copy: int) -> Sampling:
    """Return how to sample the `copy`-th completion of a prompt."""
    only_likeliest = request.top_p == 0
    return Sampling(
        temperature=request.temperature,
        top_k=1 if only_likeliest else max(request.top_k, 0),
        top_p=1.0 if only_likeliest else request.top_p,
        min_p=request.min_p,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        repetition_penalty=request.repetition_penalty,
        logit_bias=tuple((int(token), bias) for token, bias in request.logit_bias.items()),
        seed=None if request.seed is None else (request.seed + copy) & INT64_MAX,
    )


def stop_ids_of(request: GenerationRequest, eos: Iterable[int]) -> tuple[int, ...]:
    """Return the tokens that end the text."""
    own = () if request.ignore_eos else tuple(eos)
    return tuple(dict.fromkeys((*own, *request.stop_token_ids)))


def text_rules(
    request: GenerationRequest, *, context: tuple[int, ...] = (), keep_special_tokens: bool = False
) -> TextRules:
    """Return how the request wants its text."""
    return TextRules(
        stops=request.stop_texts,
        keep_stop=request.include_stop_str_in_output,
        min_tokens=request.min_tokens,
        skip_special_tokens=request.skip_special_tokens and not keep_special_tokens,
        context=context,
    )
