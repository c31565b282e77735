"""Putting the API in front of a running engine: transport, service, application."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from typing import Any

from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.protocol import Feature
from proctor_runtime.openai.answer import ServedModel
from proctor_runtime.openai.api import Api
from proctor_runtime.openai.by_fields import complete_fields
from proctor_runtime.openai.listen import listen
from proctor_runtime.openai.metering import MeteredQueue
from proctor_runtime.openai.metrics import Metrics
from proctor_runtime.openai.readiness import Readiness
from proctor_runtime.openai.reasoning_parsers import REASONING_PARSERS
from proctor_runtime.openai.service import Service
from proctor_runtime.openai.tool_parsers import TOOL_PARSERS
from proctor_runtime.openai.traffic import Traffic
from proctor_runtime.settings import Settings
from proctor_runtime.tokenizer import Tokenizer
from proctor_runtime.transports.in_process import InProcessTransport
from proctor_runtime.transports.protocol import EngineQueue, Transport

logger = logging.getLogger(__name__)


def present(
    batcher: Batcher, tokenizer: Tokenizer, settings: Settings, checkpoint_digest: str
) -> None:
    """Serve the API until SIGTERM."""
    info = batcher.engine.info
    metrics = Metrics(settings.served_model_name, info.max_sequence_length)
    metrics.watch(info, batcher.stats)
    queue, queued = MeteredQueue(batcher, metrics), settings.api.max_queued_requests
    model = served_model(batcher, tokenizer, settings)
    with transport_to(queue, model, settings) as way:

        def described() -> dict[str, Any]:
            # As the engine is now: of what it began with it may have had to give something up.
            now = replace(model, info=batcher.engine.info)
            return description(now, way, settings, checkpoint_digest)

        logger.info("serving %s: %s", model.name, described())
        api = Api(
            service=Service(model=model, transport=way, most_choices=queued),
            readiness=Readiness(way, batcher.last_token),
            metrics=metrics,
            traffic=Traffic(),
            describe=described,
            body_limit=settings.api.max_body_bytes,
        )
        bind, port = settings.addresses.bind, settings.addresses.http
        listen(api, host=bind, port=port)


def served_model(batcher: Batcher, tokenizer: Tokenizer, settings: Settings) -> ServedModel:
    """Return the model as the API sees it."""
    tools, reasoning = settings.api.tool_call_parser, settings.api.reasoning_parser
    return ServedModel(
        name=settings.served_model_name,
        tokenizer=tokenizer,
        info=batcher.engine.info,
        tool_parser=TOOL_PARSERS[tools] if tools else None,
        reasoning_parser=REASONING_PARSERS[reasoning] if reasoning else None,
    )


@contextmanager
def transport_to(queue: EngineQueue, model: ServedModel, settings: Settings) -> Iterator[Transport]:
    """Open the way from the HTTP front to the engine."""
    direct = InProcessTransport(queue)
    if settings.transport == "in-process":
        yield direct
        return
    # Of the extra `triton`, which the in-process transport does without.
    from proctor_runtime.transports.triton.text_model import TextModel  # noqa: PLC0415
    from proctor_runtime.transports.triton.transport import TritonTransport  # noqa: PLC0415

    service = Service(model=model, transport=direct, most_choices=settings.api.max_queued_requests)
    texts = TextModel(partial(complete_fields, service), settings.engine.max_batch_size)
    triton = TritonTransport(queue, texts, model.name, settings.addresses)
    try:
        triton.start()
        yield triton
    finally:
        triton.stop()


def description(
    model: ServedModel, transport: Transport, settings: Settings, checkpoint_digest: str
) -> dict[str, Any]:
    """Return the effective configuration, as the operator puts it into the status."""
    return {
        "servedModelName": model.name,
        "transport": transport.name,
        "maxBatchSize": settings.engine.max_batch_size,
        "randomSeed": settings.random_seed,
        "maxQueuedRequests": settings.api.max_queued_requests,
        "maxBodyBytes": settings.api.max_body_bytes,
        "chatTemplate": "given" if settings.api.chat_template else "the tokenizer's",
        "toolCallParser": settings.api.tool_call_parser or "none",
        "reasoningParser": settings.api.reasoning_parser or "none",
        "checkpointDigest": checkpoint_digest,
        **{
            camel(field.name): told(getattr(model.info, field.name)) for field in fields(model.info)
        },
    }


def told(value: Any) -> Any:
    """Return a fact as the operator's status can hold it."""
    if isinstance(value, Feature):
        return "on" if value.on else f"off: {value.reason}"
    return value


def camel(name: str) -> str:
    """Return a field's name as Kubernetes writes it."""
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))
