"""Putting the pieces together: load, serve until SIGTERM, drain, stop."""

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.digest import digest_folder
from proctor_runtime.checkpoints.megatron import iteration_folder
from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.megatron.source import ModelSource
from proctor_runtime.engine.options import EngineOptions
from proctor_runtime.engine.protocol import Engine
from proctor_runtime.failure import report
from proctor_runtime.openai.app import create_app
from proctor_runtime.openai.readiness import Readiness
from proctor_runtime.openai.service import Service
from proctor_runtime.settings import Settings
from proctor_runtime.tokenizer import HuggingFaceTokenizer, Tokenizer
from proctor_runtime.transports.in_process import InProcessTransport
from proctor_runtime.transports.protocol import Transport

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 20
"""For requests under way; less than a pod's usual grace period of 30."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM; a `RejectedError` comes before anything slow is begun."""
    source = ModelSource(
        checkpoint=settings.checkpoint,
        dtype=settings.dtype,
        tensor=settings.tensor_parallel,
        pipeline=settings.pipeline_parallel,
        max_sequence_length=settings.max_sequence_length,
        options=EngineOptions(max_batch_size=settings.max_batch_size),
    )
    source.read_config()
    tokenizer = HuggingFaceTokenizer(settings.tokenizer)
    with ThreadPoolExecutor(1) as hashing:
        # It reads the whole checkpoint, and so does loading: they share the page cache.
        digest = hashing.submit(digest_folder, iteration_folder(settings.checkpoint))
        engine = load_engine(source)
    with running(engine, tokenizer, settings) as batcher, transport_to(batcher, settings) as way:
        service = Service(
            name=settings.served_model_name,
            transport=way,
            tokenizer=tokenizer,
            info=engine.info,
            max_batch_size=settings.max_batch_size,
            checkpoint_digest=digest.result(),
        )
        listen(service, batcher, settings)


def load_engine(source: ModelSource) -> Engine:
    """Load the model on all its ranks."""
    # Megatron-Core decorates its fused functions at import; none of them is used here, and to have
    # them compiled would only import the compiler, for seconds.
    os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
    from proctor_runtime.engine.megatron.engine import MegatronEngine  # noqa: PLC0415 - slow

    return MegatronEngine(source, on_death=die)


def die(error: Exception) -> None:
    """End the process at once: half an engine answers nobody, and a restart brings a whole one."""
    logger.critical("the engine is dead: %s", error)
    report(Reason.RUNTIME_CRASHED, str(error))
    sys.stderr.flush()
    os._exit(1)


@contextmanager
def running(engine: Engine, tokenizer: Tokenizer, settings: Settings) -> Iterator[Batcher]:
    """Run the engine's thread; finish its queue at the end."""
    batcher = Batcher(engine, decode=tokenizer.decode, seed=settings.random_seed, on_death=die)
    batcher.start()
    try:
        yield batcher
    finally:
        batcher.close()


@contextmanager
def transport_to(batcher: Batcher, settings: Settings) -> Iterator[Transport]:
    """Open the way from the HTTP front to the batcher."""
    if settings.transport == "in-process":
        yield InProcessTransport(batcher)
        return
    # Of the extra `triton`, which the in-process transport does without.
    from proctor_runtime.transports.triton import TritonTransport  # noqa: PLC0415

    triton = TritonTransport(
        batcher, settings.served_model_name, settings.addresses, settings.max_batch_size
    )
    try:
        triton.start()
        yield triton
    finally:
        triton.stop()


def listen(service: Service, batcher: Batcher, settings: Settings) -> None:
    """Answer HTTP until SIGTERM, and then what has been asked by then."""
    # uvicorn raises the signal again when it has drained; there is nothing left to do then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    app = create_app(service, Readiness(service.transport, batcher.last_token))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        logger.info("serving %s: %s", service.name, service.describe())
        yield
        await service.transport.close()

    app.router.lifespan_context = lifespan
    uvicorn.run(
        app,
        host=settings.addresses.bind,
        port=settings.addresses.http,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
