"""Putting the pieces together: load, serve until SIGTERM, drain, stop."""

import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from proctor_crds.reasons import Reason
from proctor_runtime.engine.batcher import Batcher, launch
from proctor_runtime.engine.megatron.source import ModelSource
from proctor_runtime.engine.protocol import Engine
from proctor_runtime.failure import report
from proctor_runtime.front import present
from proctor_runtime.settings import Settings
from proctor_runtime.tokenizer import HuggingFaceTokenizer, Tokenizer

logger = logging.getLogger(__name__)

LAST_WORDS = threading.Lock()
"""Never released: the process ends while it is held."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM; a `RejectedError` comes before anything slow is begun."""
    source = ModelSource(
        checkpoint=settings.checkpoint,
        format=settings.checkpoint_format,
        dtype=settings.dtype,
        parallelism=settings.parallelism,
        max_sequence_length=settings.max_sequence_length,
        options=settings.engine,
    )
    source.read_config()
    tokenizer = HuggingFaceTokenizer(
        settings.tokenizer, settings.api.chat_template, settings.checkpoint
    )
    with ThreadPoolExecutor(1) as hashing:
        # It reads the whole checkpoint, and so does loading: they share the page cache.
        digest = hashing.submit(source.digest)
        batcher = launch(lambda: make_batcher(load_engine(source), tokenizer, settings))
    with closing(batcher):
        present(batcher, tokenizer, settings, digest.result())


def load_engine(source: ModelSource) -> Engine:
    """Load the model on all its ranks."""
    from proctor_runtime.engine.megatron.engine import MegatronEngine  # noqa: PLC0415 - slow

    return MegatronEngine(source, on_death=die)


def die(error: Exception) -> None:
    """End the process at once: half an engine answers nobody, and a restart brings a whole one.

    Several threads may see the same death; the first to say so is the only one.
    """
    LAST_WORDS.acquire()
    logger.critical("the engine is dead: %s", error)
    report(Reason.RUNTIME_CRASHED, str(error))
    sys.stderr.flush()
    os._exit(1)


def make_batcher(engine: Engine, tokenizer: Tokenizer, settings: Settings) -> Batcher:
    """Return what feeds the engine."""
    return Batcher(
        engine,
        decode=tokenizer.decode,
        max_waiting=settings.api.max_queued_requests,
        seed=settings.random_seed,
        on_death=die,
    )
