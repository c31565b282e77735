"""A fake engine whose numbers depend on the whole context, and what it says of a request alone."""

import zlib
from collections.abc import Sequence

from proctor_runtime.engine.fake import Drawing, FakeEngine
from proctor_runtime.engine.protocol import GenerateRequest, ScoredToken
from proctor_runtime.engine.scheduling.step import Draws

VOCABULARY = 5


class ContextEngine(FakeEngine):
    """A single wrong token anywhere in the context changes every number after it."""

    def score(self, context: Sequence[int], token: int, top: int) -> ScoredToken:
        order = [(context[-1] + n) % VOCABULARY for n in range(top)]
        return ScoredToken(
            token, logprob(context, token), tuple((t, logprob(context, t)) for t in order)
        )

    def pick(self, context: Sequence[int], drawing: Drawing | None) -> int:
        drawn = drawing.random.randrange(VOCABULARY) if drawing else 0
        return (zlib.crc32(bytes(context)) + drawn) % VOCABULARY


def logprob(context: Sequence[int], token: int) -> float:
    return -zlib.crc32(bytes([*context, token])) / 1e9


def alone(request: GenerateRequest) -> tuple[list[ScoredToken], list[ScoredToken]]:
    """Say what a request's prompt and new tokens must be, without any engine."""
    engine = ContextEngine()
    draws = Draws(0, request.sampling, request.prompt, (), 0)
    drawing = Drawing.of(draws) if request.sampling.temperature else None
    context = list(request.prompt)
    top = request.top_logprobs
    prompt = [ScoredToken(context[0], None)]
    prompt += [engine.score(context[:n], context[n], top) for n in range(1, len(context))]
    made: list[ScoredToken] = []
    while len(made) < request.max_new_tokens:
        token = engine.pick(context, drawing)
        made.append(engine.score(context, token, top))
        context.append(token)
        if request.finish_with(token, len(made)):
            break
    return prompt if request.prompt_logprobs else [], made
