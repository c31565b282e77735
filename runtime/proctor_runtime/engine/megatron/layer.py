"""Transformer layers over packed tokens, computed with Megatron-Core's own parameters.

``GPTModel.forward`` takes rectangles of equally long sequences and spends most of a small model's
time in Python. Here each layer is a dozen calls of PyTorch over all tokens of a step at once. What
this module does not know, such as a mixture of experts, is left to Megatron-Core's module.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from megatron.core.transformer.identity_op import IdentityOp
from megatron.core.transformer.mlp import MLP
from torch.nn import functional

from proctor_runtime.engine.megatron import moe
from proctor_runtime.engine.megatron.collectives import TensorRanks

Transform = Callable[[torch.Tensor], torch.Tensor]


class Layer:
    """One layer: attention, then feed-forward, each around its residual."""

    def __init__(self, layer: Any, ranks: TensorRanks) -> None:
        self.attention_norm = norm_of(layer.input_layernorm)
        self.attention = Attention(layer.self_attention, ranks)
        self.feed_forward_norm = norm_of(layer.pre_mlp_layernorm)
        self.feed_forward = feed_forward_of(layer.mlp, ranks)

    def __call__(self, hidden: torch.Tensor, rotary: "Rotary", attend: Transform) -> torch.Tensor:
        """Return ``[tokens, hidden]``.

        `attend` keeps and looks up keys and values. It gets ``[tokens, groups, queries + 2,
        channels]``, a group's queries before its key and its value, and returns ``[tokens, groups *
        queries * channels]``.
        """
        hidden = hidden + self.attention(self.attention_norm(hidden), rotary, attend)
        return hidden.add_(self.feed_forward(self.feed_forward_norm(hidden)))


class Attention:
    """Queries, keys and values of packed tokens, and the way back."""

    def __init__(self, attention: Any, ranks: TensorRanks) -> None:
        self.groups = attention.num_query_groups_per_partition
        self.queries = attention.num_attention_heads_per_partition // self.groups
        self.channels = attention.hidden_size_per_attention_head
        self.scale = attention.core_attention.scale or self.channels**-0.5
        self.mix = widened(attention.linear_qkv, ranks)
        self.project = reduced(attention.linear_proj, ranks)
        self.query_norm = optional_norm_of(attention.q_layernorm)
        self.key_norm = optional_norm_of(attention.k_layernorm)

    def __call__(self, hidden: torch.Tensor, rotary: "Rotary", attend: Transform) -> torch.Tensor:
        """Return ``[tokens, hidden]``."""
        mixed = self.mix(hidden).view(-1, self.groups, self.queries + 2, self.channels)
        self._normalize(mixed)
        rotary(mixed[:, :, : self.queries + 1])
        return self.project(attend(mixed))

    def _normalize(self, mixed: torch.Tensor) -> None:
        if self.query_norm is not None:
            queries = mixed[:, :, : self.queries]
            queries.copy_(self.query_norm(queries))
        if self.key_norm is not None:
            keys = mixed[:, :, self.queries]
            keys.copy_(self.key_norm(keys))


class Rotary:
    """Rotary positions of one step's tokens; without any, nothing happens."""

    def __init__(self, cosines: torch.Tensor | None, sines: torch.Tensor | None) -> None:
        self.cosines = cosines
        self.sines = sines

    def __call__(self, heads: torch.Tensor) -> None:
        """Turn ``[tokens, groups, heads, channels]`` in place."""
        if self.cosines is None or self.sines is None:
            return
        turned = heads[..., : self.cosines.shape[-1]]
        swapped = turned.roll(turned.shape[-1] // 2, -1)
        turned.mul_(self.cosines).addcmul_(swapped, self.sines)


class RotaryTable:
    """Cosines and sines of all positions, by Megatron-Core's own frequencies."""

    def __init__(self, model: Any, length: int) -> None:
        self._cosines: torch.Tensor | None = None
        self._sines: torch.Tensor | None = None
        if model.position_embedding_type == "rope":
            # As for packed sequences: else a context parallel rank would get some positions only.
            angles = model.rotary_pos_emb(length, packed_seq=True)[:, 0, 0].float()
            # Half of the sines negative: so that a rotation by halves is a plain exchange.
            sign = torch.ones(angles.shape[-1], device=angles.device)
            sign[: len(sign) // 2] = -1
            dtype = model.config.params_dtype
            self._cosines = angles.cos().to(dtype)
            self._sines = (angles.sin() * sign).to(dtype)

    def at(self, positions: torch.Tensor) -> Rotary:
        """Look positions up."""
        if self._cosines is None or self._sines is None:
            return Rotary(None, None)
        return Rotary(
            self._cosines[positions][:, None, None], self._sines[positions][:, None, None]
        )


def norm_of(module: Any) -> Transform:
    """Return a normalisation without its module's overhead."""
    shape: Any = getattr(module, "normalized_shape", None)
    if isinstance(module, torch.nn.RMSNorm):
        return partial(
            functional.rms_norm, normalized_shape=shape, weight=module.weight, eps=module.eps
        )
    if isinstance(module, torch.nn.LayerNorm):
        return partial(
            functional.layer_norm,
            normalized_shape=shape,
            weight=module.weight,
            bias=module.bias,
            eps=module.eps,
        )
    return module  # type: ignore[no-any-return]


def optional_norm_of(module: Any) -> Transform | None:
    """Return a normalisation, if there is one."""
    return None if module is None or isinstance(module, IdentityOp) else norm_of(module)


def linear_of(module: Any) -> Transform:
    """Return a product without its module's overhead."""
    return partial(functional.linear, weight=module.weight, bias=module.bias)


def widened(module: Any, ranks: TensorRanks) -> Transform:
    """Return a column-parallel product: each rank has its columns, of all tokens."""
    product = linear_of(module)
    return (lambda own: product(ranks.gather(own))) if ranks.split_tokens else product


def reduced(module: Any, ranks: TensorRanks) -> Transform:
    """Return a row-parallel product: the sum over all tensor-parallel ranks."""
    if ranks.count == 1:
        return linear_of(module)
    bias = module.bias

    def apply(hidden: torch.Tensor) -> torch.Tensor:
        total = ranks.reduce(functional.linear(hidden, module.weight))
        return total if bias is None else total + bias

    return apply


def feed_forward_of(module: Any, ranks: TensorRanks) -> Transform:
    """Return a feed-forward layer: our own if it is a plain one, else Megatron-Core's.

    Megatron-Core's layer of experts takes the tokens as the ranks hold them between layers.
    """
    if type(module) is not MLP:
        if ranks.split_tokens:
            moe.take_split_tokens(module)
        return partial(left_to_megatron, module)
    config = module.config
    widen, narrow = widened(module.linear_fc1, ranks), reduced(module.linear_fc2, ranks)
    activate = config.activation_func
    if not config.gated_linear_unit:
        return lambda hidden: narrow(activate(widen(hidden)))
    return lambda hidden: narrow(gated(activate, widen(hidden)))


def gated(activate: Transform, wide: torch.Tensor) -> torch.Tensor:
    """Gate the second half by the first."""
    gate, up = wide.chunk(2, -1)
    return activate(gate).mul_(up)


def left_to_megatron(module: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Call Megatron-Core's own module, as a batch of one sequence."""
    out, bias = module(hidden[:, None])
    return (out if bias is None else out + bias)[:, 0]  # type: ignore[no-any-return]
