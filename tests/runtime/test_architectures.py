"""Every kind of layer that `ModelConfig` allows: cached, ragged decoding against one plain pass."""

from argparse import Namespace
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist

from proctor_runtime.engine.fake import CAPACITY
from tests.runtime.batches import PROMPTS, generation, ids, run
from tests.runtime.conftest import TINY, VOCABULARY, quiet

# Megatron-Core warns of its own internal calls.
pytestmark = pytest.mark.filterwarnings("ignore:.*tp_group is None:DeprecationWarning")

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {},
    "gpt-2": {
        "normalization": "LayerNorm",
        "group_query_attention": False,
        "swiglu": False,
        "add_bias_linear": True,
        "bias_gelu_fusion": True,
        "position_embedding_type": "learned_absolute",
    },
    "qwen": {
        "add_qkv_bias": True,
        "qk_layernorm": True,
        "untie_embeddings_and_output_weights": True,
    },
    "partly rotary, wide heads": {"rotary_percent": 0.5, "kv_channels": 32},
}


@pytest.fixture(scope="module")
def ranks() -> Iterator[Any]:
    with quiet():
        from proctor_runtime.engine.megatron.parallelism import ONE_RANK
        from proctor_runtime.engine.megatron.ranks import Ranks, leave

        yield Ranks.join(0, ONE_RANK, dist.HashStore())  # type: ignore[attr-defined]
        leave()


@pytest.mark.parametrize("changes", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_decoding_equals_a_plain_pass(ranks: Any, changes: dict[str, Any]) -> None:
    with quiet():
        from proctor_runtime.checkpoints.architecture import ModelConfig
        from proctor_runtime.engine.megatron.executor import Executor
        from proctor_runtime.engine.megatron.forward import Forward
        from proctor_runtime.engine.megatron.kv_store import KvStore
        from proctor_runtime.engine.megatron.model import build_model

        torch.manual_seed(1)
        config = ModelConfig.from_args(Namespace(**{**vars(TINY), **changes}))
        model = build_model(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
    store = KvStore(
        layers=config.num_layers,
        groups=config.num_query_groups,
        slots=CAPACITY.blocks * CAPACITY.block_tokens,
        channels=config.kv_channels,
        dtype=torch.float32,
        device=torch.device("cpu"),
    )
    executor = Executor(Forward(model, config, torch.device("cpu")), store)
    engine = SimpleNamespace(capacity=CAPACITY, execute=executor.execute)
    requests = [generation(prompt, prompt_logprobs=True) for prompt in PROMPTS]
    completions = run(engine, requests)
    for request, completion in zip(requests, completions, strict=True):
        sequence = torch.tensor([[*request.prompt, *ids(completion)]])
        with torch.inference_mode():
            positions = torch.arange(sequence.shape[1])[None]
            logits = model(sequence, positions, None, runtime_gather_output=True)
        truth = logits[0, :-1, :VOCABULARY].log_softmax(-1)
        scored = [*completion.prompt, *completion.tokens][1:]
        realised = truth.gather(1, sequence[0, 1:, None])[:, 0].tolist()
        assert [token.logprob for token in scored] == pytest.approx(realised, abs=1e-5)
        assert ids(completion) == truth.argmax(-1)[len(request.prompt) - 1 :].tolist()
