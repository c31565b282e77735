"""``caching``: keeps what the target answered, and gives it again instead of asking.

It sits next to the target, wherever the list names it: what it keeps is raw, and what it asks by is
the question as the target would see it. So a changed interceptor never gets an answer to another
question, nor an answer changed by its predecessor.
"""

import hashlib
import logging
from asyncio import CancelledError
from contextlib import aclosing
from dataclasses import dataclass, replace

from proctor_harness.adapter import openai, sse
from proctor_harness.adapter.answers import Answers, gather
from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import Content, JsonObject, canonical
from proctor_harness.adapter.messages import (
    Endpoint,
    Interceptor,
    Request,
    Response,
    Stream,
    primed,
)
from proctor_harness.adapter.site import Site
from proctor_harness.adapter.turns import Slot, Turns

ANSWERS_FILE = "answers.jsonl"
KEY_BYTES = 16

logger = logging.getLogger(__name__)


class Config(InterceptorConfig):
    """Fields of ``caching``."""

    cache_dir: str = "cache"
    """Directory of the answers, inside the artifacts."""
    reuse_cached_responses: bool = False
    """Give stored answers; all answers are then stored."""
    save_requests: bool = False
    """Store questions beside their answers, for the report."""
    save_responses: bool = True
    """Store answers."""
    max_saved_requests: int | None = None
    """Most questions to store."""
    max_saved_responses: int | None = None
    """Most answers to store; without effect where they are reused."""
    bypass: bool = False
    """Neither store nor reuse."""


def build(config: Config, site: Site) -> Interceptor:
    """Open the store."""
    turns = Turns()
    path = site.path(config.cache_dir) / ANSWERS_FILE
    if site.shards:
        gather(path, [shard / path.relative_to(site.artifacts) for shard in site.shards])
    journal = site.disk.journal(path)
    answers = Answers(journal, site.session, turns)
    site.answer_logs.append(journal.path)
    logger.info("%d stored answers in %s", len(answers), journal.path)
    # What all questions of this process have in common. A repeat has seeds or turns of its own: its
    # number, which is 0 in every log that is kept, adds nothing.
    salt = canonical([site.identity, 0, site.unseen])
    return Caching(config, answers, turns, salt)


class Caching:
    """The interceptor."""

    def __init__(self, config: Config, answers: Answers, turns: Turns, salt: bytes) -> None:
        self._config = config
        self._answers = answers
        self._turns = turns
        self._salt = hashlib.sha256(salt)
        self._saved_requests = 0
        self._saved_responses = 0

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Answer from the store, else ask and store."""
        asked = request.body.object if openai.is_question(request) else None
        if asked is None or self._config.bypass:
            return await call_next(request)
        slot = self._turns.take(self._key(request.target, asked))
        if stored := self._stored(slot):
            return stored
        try:
            response = await call_next(request)
        except BaseException:
            self._turns.give_back(slot)
            raise
        answer = _Answer(self, slot, request, response)
        if isinstance(response.body, Content):
            answer.settle(response.body.raw)
            return response
        return replace(response, body=await primed(answer.teed(response.body)))

    def _key(self, target: str, asked: JsonObject) -> bytes:
        digest = self._salt.copy()
        digest.update(b"%b\0%b" % (target.encode(), canonical(asked)))
        return digest.digest()[:KEY_BYTES]

    def _stored(self, slot: Slot) -> Response | None:
        stored = self._answers.get(slot) if self._config.reuse_cached_responses else None
        if stored:
            self._answers.give(slot)
        return stored

    def settle(self, slot: Slot, request: Request, response: Response, body: bytes | None) -> None:
        """Store a complete answer; any other is none, and its turn falls to the next asking."""
        if response.status != 200 or body is None or sse.error(response.headers, Content(body)):
            self._turns.give_back(slot)
        elif self._stores_answers():
            self._saved_responses += 1
            asked = request.body.raw if self._stores_questions() else None
            self._saved_requests += asked is not None
            self._answers.put(slot, response, body, asked)

    def _stores_answers(self) -> bool:
        config = self._config
        if config.reuse_cached_responses:
            return True
        return config.save_responses and below(config.max_saved_responses, self._saved_responses)

    def _stores_questions(self) -> bool:
        return self._config.save_requests and below(
            self._config.max_saved_requests, self._saved_requests
        )


@dataclass(slots=True)
class _Answer:
    """An answer on its way, which may break off."""

    cache: Caching
    slot: Slot
    request: Request
    response: Response

    async def teed(self, body: Stream) -> Stream:
        """The stream, stored if it comes to its end, or its reader to the last event."""
        pieces, whole = [], None
        try:
            async with aclosing(body):
                yield b""
                async for piece in body:
                    pieces.append(piece)
                    yield piece
            whole = b"".join(pieces)
        except (CancelledError, GeneratorExit):
            whole = self._left(b"".join(pieces))
            raise
        finally:
            self.settle(whole)

    def _left(self, body: bytes) -> bytes | None:
        """What a client had that left, if it is all: OpenAI's own leaves at ``[DONE]``."""
        return body if sse.done(body) and sse.answers(self.request.target, body) else None

    def settle(self, body: bytes | None) -> None:
        """The answer is complete, or never will be."""
        self.cache.settle(self.slot, self.request, self.response, body)


def below(most: int | None, count: int) -> bool:
    """Whether there may be one more."""
    return most is None or count < most
