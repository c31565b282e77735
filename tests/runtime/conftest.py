"""A tiny random model, as a checkpoint on disk, and a tokenizer for it."""

import os
import warnings
from argparse import Namespace
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.fake import FakeEngine
from tests.runtime.letters import LONGEST, batcher_of, letters

# Megatron-Core would import PyTorch's compiler for functions that are not used.
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

VOCABULARY = 160
"""Real tokens; the model's is padded to 192."""

TINY = Namespace(
    num_layers=4,
    hidden_size=64,
    num_attention_heads=4,
    group_query_attention=True,
    num_query_groups=2,
    ffn_hidden_size=96,
    normalization="RMSNorm",
    norm_epsilon=1e-5,
    swiglu=True,
    add_bias_linear=False,
    untie_embeddings_and_output_weights=False,
    position_embedding_type="rope",
    rotary_base=10000,
    vocab_size=VOCABULARY,
    padded_vocab_size=192,
    max_position_embeddings=128,
)

OF_EXPERTS = Namespace(
    **vars(TINY),
    num_experts=4,
    moe_router_topk=2,
    moe_ffn_hidden_size=48,
    moe_layer_freq=[0, 1, 1, 1],
    moe_shared_expert_intermediate_size=32,
    moe_shared_expert_gate=True,
)


@contextmanager
def quiet() -> Iterator[None]:
    """Let Megatron-Core and PyTorch warn of each other, which we cannot change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def write_checkpoint(root: Path, args: Namespace) -> None:
    """Save a model of random weights, large enough that its predictions differ."""
    with quiet():
        import torch
        import torch.distributed as dist
        from megatron.core import parallel_state

        from proctor_runtime.checkpoints import megatron
        from proctor_runtime.engine.megatron.model import build_model
        from proctor_runtime.engine.megatron.parallelism import ONE_RANK
        from proctor_runtime.engine.megatron.ranks import Ranks, leave

        Ranks.join(0, ONE_RANK, dist.HashStore())  # type: ignore[attr-defined]
        torch.manual_seed(0)
        model = build_model(args)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.15)
        megatron.save(model, args, root)
        leave()
        assert not parallel_state.model_parallel_is_initialized()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(root, TINY)
    return root


@pytest.fixture(scope="session")
def checkpoint_of_experts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkpoint_of_experts")
    write_checkpoint(root, OF_EXPERTS)
    return root


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a byte tokenizer with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<s>", "</s>", "<pad>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())[: VOCABULARY - len(special)]
    vocabulary = {text: number for number, text in enumerate([*special, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    fast.chat_template = (
        "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    folder = tmp_path_factory.mktemp("tokenizer")
    fast.save_pretrained(folder)
    return folder


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(max_sequence_length=LONGEST)


@pytest.fixture
def batcher(engine: FakeEngine) -> Iterator[Batcher]:
    batcher = batcher_of(engine)
    yield batcher
    batcher.close()


@pytest.fixture
async def client(engine: FakeEngine, batcher: Batcher) -> AsyncIterator[httpx.AsyncClient]:
    """Talk to the API in front of the fake engine."""
    async with letters(engine, batcher).client() as client:
        yield client
