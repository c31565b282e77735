"""The attention core, put into Megatron-Core's layer spec in place of its own.

PyTorch's scaled dot product needs no fused kernels of Transformer Engine, repeats no keys for
grouped queries, and treats a causal mask as a flag, so that plain causal batches build no mask.
"""

from typing import Any

import torch
from torch.nn import functional


class SdpaAttention(torch.nn.Module):
    """Megatron-Core's core-attention contract (``[sequence, batch, heads, channels]``) by SDPA."""

    def __init__(  # noqa: PLR0913, PLR0917 - Megatron-Core's ModuleSpec fixes this signature
        self,
        config: Any,  # noqa: ARG002
        layer_number: int,  # noqa: ARG002
        attn_mask_type: Any,  # noqa: ARG002
        attention_type: str,  # noqa: ARG002
        attention_dropout: float | None = None,  # noqa: ARG002
        softmax_scale: float | None = None,
        **unused: Any,  # noqa: ARG002
    ) -> None:
        super().__init__()
        self.scale = softmax_scale

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        **unused: Any,  # noqa: ARG002
    ) -> torch.Tensor:
        """Attend; `attention_mask` is true where a query must not look, None where it is causal."""
        queries, keys, values = (t.permute(1, 2, 0, 3) for t in (query, key, value))
        attended = functional.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=None if attention_mask is None else ~attention_mask,
            # A single query is the newest token and sees every key there is.
            is_causal=attention_mask is None and queries.shape[2] > 1,
            scale=self.scale,
            enable_gqa=queries.shape[1] != keys.shape[1],
        )
        return attended.permute(2, 0, 1, 3).flatten(2)
