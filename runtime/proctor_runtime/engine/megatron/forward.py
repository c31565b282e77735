"""One forward pass over this rank's share of the model, through the pipeline's stages."""

from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.inference.contexts import StaticInferenceContext

from proctor_runtime.engine.megatron.config import ModelConfig


class Forward:
    """Runs the model; the last stage's ranks get logits, the others None."""

    def __init__(self, model: Any, config: ModelConfig, device: torch.device) -> None:
        self.model = model
        self.config = config
        self.device = device
        self._dtype = model.config.params_dtype
        self._is_first = parallel_state.is_pipeline_first_stage()
        self._is_last = parallel_state.is_pipeline_last_stage()

    @torch.inference_mode()
    def __call__(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor | None,
        cache: StaticInferenceContext | None = None,
    ) -> torch.Tensor | None:
        """Return float32 logits ``[batch, length, vocabulary]``, or the last position's only.

        Which, the cache's ``materialize_only_last_token_logits`` says. The cache is moved on.
        """
        self._receive(*ids.shape)
        out = self.model(ids, positions, mask, inference_context=cache, runtime_gather_output=True)
        if cache is not None:
            cache.sequence_len_offset += ids.shape[1]
        if not self._is_last:
            dist.send(out.contiguous(), parallel_state.get_pipeline_model_parallel_next_rank())
            return None
        # Rows that only pad the vocabulary are no tokens: they take no probability.
        logits: torch.Tensor = out[..., : self.config.vocab_size].float()
        return logits

    def _receive(self, batch: int, length: int) -> None:
        """Take over the previous stage's activations."""
        if self._is_first:
            return
        shape = (length, batch, self.config.hidden_size)
        activations = torch.empty(shape, dtype=self._dtype, device=self.device)
        dist.recv(activations, parallel_state.get_pipeline_model_parallel_prev_rank())
        self.model.set_input_tensor(activations)
