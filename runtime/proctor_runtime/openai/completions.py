"""Text completions: from request to engine requests, and from completions to the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proctor_runtime.engine.protocol import Completion, GenerateRequest
from proctor_runtime.openai.answer import Envelope, ServedModel, spoken, usage_of
from proctor_runtime.openai.logprobs import completion_logprobs
from proctor_runtime.openai.offsets import Offsets
from proctor_runtime.openai.requests import (
    InvalidRequestError,
    engine_requests,
    prompts_of,
    text_rules,
    texts_of,
)
from proctor_runtime.openai.schema.completion import CompletionRequest
from proctor_runtime.openai.text import TextRules, context_of, whole_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One of a request's prompts."""

    ids: Sequence[int]
    echo: str
    """What the answer's text begins with: the prompt's text, or nothing."""
    rules: TextRules


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionPlan:
    """A request ready for the engine."""

    request: CompletionRequest
    model: ServedModel
    prompts: Sequence[Prompt]
    asked: Sequence[GenerateRequest]
    """`request.candidates` for each prompt, in the order of the prompts."""

    def prompt_of(self, index: int) -> Prompt:
        """Return the prompt of the `index`-th engine request."""
        return self.prompts[index // self.request.candidates]


def plan_completion(request: CompletionRequest, model: ServedModel) -> CompletionPlan:
    """Return what to ask of the engine, and how to read its answer."""
    prompts = [
        plan_prompt(request, ids, text, model)
        for ids, text in zip(prompts_of(request, model.tokenizer), texts_of(request), strict=True)
    ]
    if not prompts:
        raise InvalidRequestError("the request has no prompt: `prompt` is an empty list")
    asked = [
        one
        for prompt in prompts
        for one in engine_requests(
            request,
            GenerateRequest(
                prompt=tuple(prompt.ids),
                max_new_tokens=request.max_tokens,
                top_logprobs=request.logprobs or 0,
                prompt_logprobs=request.echo and request.logprobs is not None,
            ),
            request.candidates,
            model.tokenizer.eos_ids,
            prompt.rules,
        )
    ]
    return CompletionPlan(request=request, model=model, prompts=prompts, asked=asked)


def plan_prompt(
    request: CompletionRequest, ids: Sequence[int], text: str | None, model: ServedModel
) -> Prompt:
    """Return a prompt with what its answers begin with: as it was given, if it was a text."""
    echo = ""
    if request.echo:
        echo = model.tokenizer.decode(ids, skip_special_tokens=False) if text is None else text
    context = context_of(ids, model.tokenizer)
    return Prompt(ids=ids, echo=echo, rules=text_rules(request, context=context))


def completion_answer(
    plan: CompletionPlan, completions: Sequence[Completion], envelope: Envelope
) -> dict[str, Any]:
    """Return the whole answer."""
    chosen = [
        (plan.prompts[prompt], completion)
        for prompt in range(len(plan.prompts))
        for completion in best_of(plan, completions, prompt)
    ]
    choices = [
        completion_choice(index, prompt, completion, plan)
        for index, (prompt, completion) in enumerate(chosen)
    ]
    made = sum(len(completion.tokens) for completion in completions)
    return envelope.around(choices, usage=usage_of([p.ids for p in plan.prompts], made))


def best_of(
    plan: CompletionPlan, completions: Sequence[Completion], prompt: int
) -> Sequence[Completion]:
    """Return the `n` likeliest of a prompt's candidates, likeliest first; all, if `n` are all."""
    count, wanted = plan.request.candidates, plan.request.n
    candidates = completions[prompt * count : (prompt + 1) * count]
    if count == wanted:
        return candidates
    return sorted(candidates, key=mean_logprob, reverse=True)[:wanted]


def mean_logprob(completion: Completion) -> float:
    """Return the mean log-probability of the new tokens; of none, the lowest."""
    values = [value for value in completion.tokens.logprobs if value is not None]
    return sum(values) / len(values) if values else float("-inf")


def completion_choice(
    index: int, prompt: Prompt, completion: Completion, plan: CompletionPlan
) -> dict[str, Any]:
    """Return one choice."""
    tokenizer = plan.model.tokenizer
    text, stop = whole_text(tokenizer, prompt.rules, spoken(completion))
    logprobs = None
    if plan.request.logprobs is not None:
        offsets = Offsets(tokenizer, prompt.rules, prompt.echo)
        logprobs = completion_logprobs(completion.prompt, completion.tokens, tokenizer, offsets)
    return {
        "index": index,
        "text": prompt.echo + text,
        "logprobs": logprobs,
        "finish_reason": "stop" if stop is not None else completion.finish,
        "stop_reason": stop_reason(stop, completion.stop, plan.request.stop_token_ids),
    }


def stop_reason(text: str | None, stop: int | str | None, asked: Sequence[int]) -> int | str | None:
    """Return the stop text or token that the request named and that ended the choice, as vLLM."""
    if text is not None:
        return text
    return stop if isinstance(stop, int) and stop in asked else None
