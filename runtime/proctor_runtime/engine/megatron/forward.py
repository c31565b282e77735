"""One step's pass over this rank's share of the model, through the pipeline's stages."""

from functools import partial
from typing import Any, Protocol

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.tensor_parallel import gather_from_tensor_model_parallel_region
from torch.nn import functional

from proctor_runtime.engine.megatron.config import ModelConfig
from proctor_runtime.engine.megatron.gathered import GatheredAttention
from proctor_runtime.engine.megatron.kv_store import KvStore
from proctor_runtime.engine.megatron.layer import Layer, RotaryTable, norm_of
from proctor_runtime.engine.megatron.packing import Packed
from proctor_runtime.engine.megatron.segments import SegmentAttention


class StepAttention(Protocol):
    """How the rows of one step attend, in any layer."""

    def __call__(self, mixed: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
        """Write ``[tokens, groups, queries + 2, channels]`` into the layer's slots, and attend."""
        ...

    def exact(self) -> "StepAttention | None":
        """Return a slower way that reads nothing but a sequence's own slots; None if this is."""
        ...


class Forward:
    """Runs packed steps; the last stage's ranks get hidden states, the others None."""

    def __init__(
        self, model: Any, config: ModelConfig, device: torch.device, longest: int | None = None
    ) -> None:
        self.model = model
        self.config = config
        self.device = device
        self.layers = [Layer(layer) for layer in model.decoder.layers]
        self.rotary = RotaryTable(model, longest or config.max_position_embeddings)
        self._is_first = parallel_state.is_pipeline_first_stage()
        self._is_last = parallel_state.is_pipeline_last_stage()
        self._ways = parallel_state.get_tensor_model_parallel_world_size()
        if self._is_last:
            self._norm = norm_of(model.decoder.final_layernorm)
            self._head, self._head_bias = head_of(model)

    def __call__(self, packed: Packed, store: KvStore) -> torch.Tensor | None:
        """Return hidden states ``[tokens, hidden]``, in the packed order."""
        given = self._embed(packed) if self._is_first else self._receive(len(packed.ids))
        attention = self._plan(packed, store)
        hidden = self._through(given, packed, attention, store)
        exact = attention.exact()
        if exact is not None and not bool(hidden.isfinite().all()):
            # Grids read past the ends of sequences and hide what they find; but not what is not a
            # number, which another sequence may have left there.
            hidden = self._through(given, packed, exact, store)
        if self._is_last:
            return hidden
        dist.send(hidden.contiguous(), parallel_state.get_pipeline_model_parallel_next_rank())
        return None

    def _plan(self, packed: Packed, store: KvStore) -> "StepAttention":
        """Choose how the step attends."""
        scale = self.layers[0].attention.scale
        if self.device.type == "cpu":
            return SegmentAttention.of(packed, scale, store.slots)
        return GatheredAttention(packed, scale)

    def _through(
        self, hidden: torch.Tensor, packed: Packed, attention: "StepAttention", store: KvStore
    ) -> torch.Tensor:
        """Pass this rank's layers."""
        rotary = self.rotary.at(packed.positions)
        for number, layer in enumerate(self.layers):
            hidden = layer(hidden, rotary, partial(attention, layer=store.layer(number)))
        return hidden

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return float32 ``[tokens, vocabulary]``; all ranks of the last stage take part."""
        logits = functional.linear(self._norm(hidden), self._head, self._head_bias)
        if self._ways > 1:
            logits = gather_from_tensor_model_parallel_region(logits)
        # Rows that only pad the vocabulary are no tokens: they take no probability.
        return logits[:, : self.config.vocab_size].float()

    def _embed(self, packed: Packed) -> torch.Tensor:
        embedding = self.model.embedding
        if self._ways > 1:
            hidden: torch.Tensor = embedding.word_embeddings(packed.ids)
        else:
            hidden = functional.embedding(packed.ids, embedding.word_embeddings.weight)
        if embedding.add_position_embedding:
            hidden = hidden + embedding.position_embeddings(packed.positions)
        return hidden

    def _receive(self, tokens: int) -> torch.Tensor:
        """Take over the previous stage's activations."""
        shape = (tokens, self.config.hidden_size)
        hidden = torch.empty(shape, dtype=self.model.config.params_dtype, device=self.device)
        dist.recv(hidden, parallel_state.get_pipeline_model_parallel_prev_rank())
        return hidden


def head_of(model: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the output layer's weight, which may be the embedding's, and its bias."""
    layer = model.output_layer
    if model.share_embeddings_and_output_weights:
        return model.shared_embedding_or_output_weight(), layer.bias
    return layer.weight, layer.bias
