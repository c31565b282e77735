from argparse import Namespace

import pytest
import torch

from demo import ARITHMETIC
from demo.llama import llama_config, llama_weights, split_groups

SMALL = Namespace(
    num_layers=1,
    hidden_size=8,
    num_attention_heads=4,
    num_query_groups=2,
    kv_channels=2,
    ffn_hidden_size=6,
    norm_epsilon=1e-5,
    rotary_base=10000,
    max_position_embeddings=16,
    vocab_size=5,
    untie_embeddings_and_output_weights=False,
)


def state() -> dict[str, torch.Tensor]:
    layer = "decoder.layers.0."
    return {
        "embedding.word_embeddings.weight": torch.randn(6, 8),
        "decoder.final_layernorm.weight": torch.ones(8),
        f"{layer}input_layernorm.weight": torch.ones(8),
        f"{layer}pre_mlp_layernorm.weight": torch.ones(8),
        f"{layer}self_attention.linear_qkv.weight": torch.randn(16, 8),
        f"{layer}self_attention.linear_proj.weight": torch.randn(8, 8),
        f"{layer}mlp.linear_fc1.weight": torch.randn(12, 8),
        f"{layer}mlp.linear_fc2.weight": torch.randn(8, 6),
    }


def test_a_group_is_its_queries_then_its_key_then_its_value() -> None:
    rows = ["q0", "q0", "q1", "q1", "k0", "k0", "v0", "v0"]
    rows += ["q2", "q2", "q3", "q3", "k1", "k1", "v1", "v1"]
    stacked = torch.arange(len(rows)).float()[:, None].expand(-1, 8)
    parts = [[rows[int(i)] for i in part[:, 0]] for part in split_groups(stacked, SMALL)]
    assert parts == [
        ["q0", "q0", "q1", "q1", "q2", "q2", "q3", "q3"],
        ["k0", "k0", "k1", "k1"],
        ["v0", "v0", "v1", "v1"],
    ]


def test_rows_that_only_pad_the_vocabulary_are_left_out() -> None:
    weights = llama_weights(state(), SMALL)
    assert weights["model.embed_tokens.weight"].shape == (5, 8)


@pytest.mark.parametrize(("is_untied", "expected"), [(False, False), (True, True)])
def test_only_an_untied_model_has_an_output_matrix(is_untied: bool, expected: bool) -> None:
    arguments = Namespace(**{**vars(SMALL), "untie_embeddings_and_output_weights": is_untied})
    weights = llama_weights(state() | {"output_layer.weight": torch.randn(6, 8)}, arguments)
    assert ("lm_head.weight" in weights) is expected


def test_the_configuration_names_the_special_tokens() -> None:
    config = llama_config(SMALL, ARITHMETIC / "tokenizer")
    assert (config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]) == (0, 0, 1)
    assert config["num_key_value_heads"] == 2
