"""Putting the pieces together: load, serve until SIGTERM, drain, stop."""

import logging
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from proctor_crds.reasons import Reason
from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.megatron.source import ModelSource
from proctor_runtime.engine.options import EngineOptions
from proctor_runtime.engine.protocol import Engine
from proctor_runtime.failure import RejectedError, report
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
        options=EngineOptions(max_batch_size=settings.max_batch_size),
    )
    source.read_config()
    tokenizer = HuggingFaceTokenizer(
        settings.tokenizer, chat_template(settings), settings.checkpoint
    )
    with ThreadPoolExecutor(1) as hashing:
        # It reads the whole checkpoint, and so does loading: they share the page cache.
        digest = hashing.submit(source.digest)
        engine = load_engine(source)
    with running(engine, tokenizer, settings) as batcher:
        present(batcher, tokenizer, settings, digest.result())


def chat_template(settings: Settings) -> str | None:
    """Return the template that replaces the tokenizer's own, if there is one."""
    path = settings.api.chat_template
    try:
        return None if path is None else path.read_text(encoding="utf-8")
    except OSError as error:
        raise RejectedError(
            Reason.TOKENIZER_NOT_FOUND, f"the chat template {path} cannot be read: {error}"
        ) from error


def load_engine(source: ModelSource) -> Engine:
    """Load the model on all its ranks."""
    # Megatron-Core decorates its fused functions at import; none of them is used here, and to have
    # them compiled would only import the compiler, for seconds.
    os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
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


@contextmanager
def running(engine: Engine, tokenizer: Tokenizer, settings: Settings) -> Iterator[Batcher]:
    """Run the engine's thread; finish its queue at the end."""
    batcher = Batcher(
        engine,
        decode=tokenizer.decode,
        max_waiting=settings.api.max_queued_requests,
        seed=settings.random_seed,
        on_death=die,
    )
    batcher.start()
    try:
        yield batcher
    finally:
        batcher.close()
