"""The engine itself: a model over its ranks, behind the `Engine` protocol."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from proctor_runtime.checkpoints import megatron as checkpoints
from proctor_runtime.engine.megatron import followers
from proctor_runtime.engine.megatron.decoding import MegatronDecoding
from proctor_runtime.engine.megatron.forward import Forward
from proctor_runtime.engine.megatron.model import build_model, device
from proctor_runtime.engine.megatron.ranks import Ranks, leave
from proctor_runtime.engine.megatron.source import ModelSource
from proctor_runtime.engine.protocol import (
    EngineDeadError,
    EngineInfo,
    GenerateRequest,
    TokenEvent,
)


def load_forward(source: ModelSource) -> Forward:
    """Build and fill this rank's share of the model."""
    config = source.read_config()
    model = build_model(config, dtype=getattr(torch, source.dtype), initialize=False)
    checkpoints.load(model, source.checkpoint)
    return Forward(model, config, device())


class MegatronEngine:
    """Rank 0 of a Megatron-Core model."""

    def __init__(
        self, source: ModelSource, on_death: Callable[[Exception], None] = lambda _: None
    ) -> None:
        self.source = source
        source.read_config()
        store = TCPStore("127.0.0.1", 0, source.ranks, is_master=True, wait_for_workers=False)
        self._followers = followers.spawn(source, store.port, on_death)
        try:
            self._ranks = Ranks.join(0, tensor=source.tensor, pipeline=source.pipeline, store=store)
            self._forward = load_forward(source)
        except BaseException:
            self._followers.kill()
            leave()
            raise

    @property
    def info(self) -> EngineInfo:
        """Describe the model as it is served."""
        config = self._forward.config
        return EngineInfo(
            engine="megatron-core",
            device=str(self._forward.device),
            dtype=self.source.dtype,
            tensor_parallel=self.source.tensor,
            pipeline_parallel=self.source.pipeline,
            max_sequence_length=min(
                self.source.max_sequence_length, config.max_position_embeddings
            ),
            num_layers=config.num_layers,
            hidden_size=config.hidden_size,
            vocab_size=config.vocab_size,
        )

    def start(self, batch: Sequence[GenerateRequest]) -> "LedDecoding":
        """Begin a batch on every rank."""
        if self._forward.device.type == "cuda":
            torch.cuda.set_device(self._forward.device)  # current per thread, and this is another
        self._ranks.agree(batch)
        return LedDecoding(MegatronDecoding(self._forward, self._ranks, batch))

    def close(self) -> None:
        """Send the other ranks home."""
        if not self._followers.died:
            self._followers.closing = True
            self._ranks.agree(None)
            self._followers.join()
        leave()


@dataclass
class LedDecoding:
    """A batch seen from rank 0: once ranks have lost step with each other, all are lost."""

    decoding: MegatronDecoding

    def stop(self, index: int) -> None:
        """Stop one request."""
        self.decoding.stop(index)

    def __iter__(self) -> Iterator[Sequence[tuple[int, TokenEvent]]]:
        """Step the batch."""
        try:
            yield from self.decoding
        except Exception as error:
            if self.decoding.ranks.size == 1:
                raise
            raise EngineDeadError(f"a rank of the model failed: {error}") from error
