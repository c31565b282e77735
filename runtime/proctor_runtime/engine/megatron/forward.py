"""One step's pass over this rank's share of the model, through the pipeline's stages."""

from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.tensor_parallel import gather_from_tensor_model_parallel_region
from torch.nn import functional

from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.engine.megatron.collectives import TensorRanks, of_all_contexts
from proctor_runtime.engine.megatron.gathered import GatheredAttention
from proctor_runtime.engine.megatron.kv_store import KvStore
from proctor_runtime.engine.megatron.layer import Layer, RotaryTable, norm_of
from proctor_runtime.engine.megatron.packing import Packed
from proctor_runtime.engine.megatron.parallelism import ONE_RANK, Parallelism
from proctor_runtime.engine.megatron.portion import Portion, Ways, portion_of
from proctor_runtime.engine.megatron.segments import SegmentAttention
from proctor_runtime.engine.megatron.work import StepAttention, Work


class Forward:
    """Runs packed steps; those ranks of the last stage that have logits get hidden states."""

    def __init__(
        self,
        model: Any,
        config: ModelConfig,
        device: torch.device,
        *,
        longest: int | None = None,
        split: Parallelism = ONE_RANK,
    ) -> None:
        self.model = model
        self.config = config
        self.device = device
        self._tensor = TensorRanks.of(split_tokens=split.splits_tokens(config))
        self._ways = Ways(
            split.context,
            parallel_state.get_context_parallel_rank(),
            split.tensor if self._tensor.split_tokens else 1,
        )
        self.layers = [Layer(layer, self._tensor) for layer in model.decoder.layers]
        self.rotary = RotaryTable(model, longest or config.max_position_embeddings)
        self._is_first = parallel_state.is_pipeline_first_stage()
        self._is_last = parallel_state.is_pipeline_last_stage()
        if self._is_last:
            self._norm = norm_of(model.decoder.final_layernorm)
            self._head, self._head_bias = head_of(model)

    def __call__(self, packed: Packed, store: KvStore) -> torch.Tensor | None:
        """Return the step's hidden states ``[tokens, hidden]``, in the packed order.

        None on ranks of other stages, and on all context parallel ranks but the first.
        """
        portion = portion_of(packed, self._ways)
        given = self._embed(portion) if self._is_first else self._receive(portion)
        attention = self._plan(portion, store)
        hidden = self._through(given, Work(packed, portion, attention), store)
        exact = attention.exact()
        if exact is not None and not bool(hidden.isfinite().all()):
            # Grids read past the ends of sequences and hide what they find; but not what is not a
            # number, which another sequence may have left there.
            hidden = self._through(given, Work(packed, portion, exact), store)
        if self._is_last:
            return self._collect(hidden, portion)
        dist.send(hidden.contiguous(), parallel_state.get_pipeline_model_parallel_next_rank())
        return None

    def _plan(self, portion: Portion, store: KvStore) -> StepAttention:
        """Choose how the step attends."""
        scale = self.layers[0].attention.scale
        if self.device.type != "cpu":
            return GatheredAttention(portion, scale)
        if self._ways.count > 1 or self._tensor.split_tokens:
            # Ranks with different tokens would not agree on whether to compute them again.
            return SegmentAttention.apart(portion, scale)
        return SegmentAttention.of(portion, scale, store.slots)

    def whole(self, work: Work, store: KvStore) -> torch.Tensor:
        """Pass all layers, where they are all on this rank."""
        return self._through(self._embed(work.portion), work, store)

    def _through(self, hidden: torch.Tensor, work: Work, store: KvStore) -> torch.Tensor:
        """Pass this rank's layers."""
        rotary = self.rotary.at(work.portion.positions)
        for number, layer in enumerate(self.layers):
            attend = partial(work.keep_and_attend, layer=store.layer(number))
            hidden = layer(hidden, rotary, attend)
        return hidden

    def _collect(self, hidden: torch.Tensor, portion: Portion) -> torch.Tensor | None:
        """Bring all tokens together where they are needed."""
        hidden = self._tensor.gather(hidden)
        if self._ways.count > 1:
            hidden = of_all_contexts(hidden)
        return portion.in_order(hidden) if self._ways.index == 0 else None

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return float32 ``[tokens, vocabulary]``; a last stage's tensor ranks all take part."""
        logits = functional.linear(self._norm(hidden), self._head, self._head_bias)
        if self._tensor.count > 1:
            logits = gather_from_tensor_model_parallel_region(logits)
        # Rows that only pad the vocabulary are no tokens: they take no probability.
        return logits[:, : self.config.vocab_size].float()

    def _embed(self, portion: Portion) -> torch.Tensor:
        embedding = self.model.embedding
        hidden = self._tensor.reduce(looked_up(embedding.word_embeddings, portion.ids))
        if embedding.add_position_embedding:
            hidden = hidden + embedding.position_embeddings(self._tensor.own(portion.positions))
        return hidden

    def _receive(self, portion: Portion) -> torch.Tensor:
        """Take over the previous stage's activations."""
        shape = (len(self._tensor.own(portion.ids)), self.config.hidden_size)
        hidden = torch.empty(shape, dtype=self.model.config.params_dtype, device=self.device)
        dist.recv(hidden, parallel_state.get_pipeline_model_parallel_prev_rank())
        return hidden


def looked_up(words: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return the embeddings ``[tokens, hidden]`` of those tokens that the rank has, else zeros."""
    first, end = words.vocab_start_index, words.vocab_end_index
    if end - first == words.num_embeddings:
        return functional.embedding(ids, words.weight)
    elsewhere = (ids < first) | (ids >= end)
    found = functional.embedding((ids - first).masked_fill_(elsewhere, 0), words.weight)
    return found.masked_fill_(elsewhere[:, None], 0)


def head_of(model: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the output layer's weight, which may be the embedding's, and its bias."""
    layer = model.output_layer
    if model.share_embeddings_and_output_weights:
        return model.shared_embedding_or_output_weight(), layer.bias
    return layer.weight, layer.bias
