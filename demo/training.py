"""The training loop: Megatron-Core's GPTModel, PyTorch's optimizers, next-token prediction."""

from argparse import Namespace
from collections.abc import Callable
from itertools import islice
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn import functional

from demo.batches import batches
from proctor_runtime.engine.megatron.model import build_model

STEPS = 700
"""Enough to learn most of the task and not all: a benchmark that scores 100 % shows nothing."""

WARM_UP_STEPS = 50
Report = Callable[[int, float], None]
"""Told the step and its loss."""


def train(arguments: Namespace, tokenizer: Tokenizer, report: Report) -> Any:
    """Return a model trained from scratch; the same seed gives the same model."""
    # One thread adds in one order, however many cores there are; so small a model loses little.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(arguments.seed)
    model = build_model(arguments).train()
    optimizers = build_optimizers(model)
    schedules = [torch.optim.lr_scheduler.LambdaLR(one, learning_rate) for one in optimizers]
    data = batches(tokenizer, Random(arguments.seed), arguments.seq_length)
    for step, (tokens, weights) in enumerate(islice(data, STEPS), start=1):
        loss = weighted_loss(model, tokens, weights)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        model.zero_grad()
        report(step, loss.item())
    return model.eval()


def build_optimizers(model: Any) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, which it trains in half the steps; AdamW for the rest."""
    matrices: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_matrix = name.startswith("decoder.layers") and parameter.ndim == 2
        (matrices if is_matrix else rest).append(parameter)
    return [
        torch.optim.Muon(matrices, lr=0.02, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=0.003, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def learning_rate(step: int) -> float:
    """Warm up, hold, and from half-way on fall to nothing."""
    return min(1.0, (step + 1) / WARM_UP_STEPS, 2 * (STEPS - step) / STEPS)


def weighted_loss(model: Any, tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean of the tokens' cross-entropies."""
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    positions = torch.arange(inputs.shape[1]).expand_as(inputs)
    logits = model(inputs, positions, None)
    losses = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return (losses * weights.flatten()).sum() / weights.sum()
