"""GPT-2, whose linear layers are stored transposed and whose queries, keys and values as one."""

from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.checkpoints.hugging_face.architecture import Architecture, Recipes, under
from proctor_runtime.checkpoints.hugging_face.fields import Fields, number, only, size
from proctor_runtime.checkpoints.hugging_face.recipes import (
    Attention,
    Columns,
    Recipe,
    Rows,
    Source,
    Vocabulary,
    Whole,
)

TANH = ("gelu_new", "gelu_pytorch_tanh", "gelu_fast")
"""Names of GELU's approximation by tanh."""
WEIGHT_AND_BIAS = ("weight", "bias")


def config(fields: Fields) -> ModelConfig:
    """Read GPT-2's own names of the fields."""
    only(fields, "activation_function", *TANH, "gelu")
    only(fields, "scale_attn_weights", True)
    only(fields, "scale_attn_by_inverse_layer_idx", False)
    only(fields, "add_cross_attention", False)
    heads, hidden, vocabulary = (size(fields, n) for n in ("n_head", "n_embd", "vocab_size"))
    return ModelConfig(
        num_layers=size(fields, "n_layer"),
        hidden_size=hidden,
        num_attention_heads=heads,
        num_query_groups=heads,
        kv_channels=hidden // heads,
        ffn_hidden_size=fields.get("n_inner") or 4 * hidden,
        padded_vocab_size=vocabulary,
        vocab_size=vocabulary,
        max_position_embeddings=size(fields, "n_positions"),
        norm_epsilon=number(fields, "layer_norm_epsilon", 1e-5),
        gelu_tanh=fields.get("activation_function", TANH[0]) in TANH,
        add_bias_linear=True,
        untie_embeddings_and_output_weights=not fields.get("tie_word_embeddings", True),
    )


def recipes(config: ModelConfig) -> Recipes:
    """Say how each parameter is made."""
    tied = not config.untie_embeddings_and_output_weights
    output = Source("wte.weight" if tied else "lm_head.weight")
    found: dict[str, Recipe] = {
        "embedding.word_embeddings.weight": Vocabulary(
            Source("wte.weight"), config.padded_vocab_size
        ),
        "embedding.position_embeddings.weight": Whole(Source("wpe.weight")),
        "output_layer.weight": Vocabulary(output, config.padded_vocab_size),
    }
    found |= norm("decoder.final_layernorm.", "ln_f.")
    for layer in range(config.num_layers):
        found |= under(f"decoder.layers.{layer}.", one_layer(config, f"h.{layer}."))
    return found


def norm(name: str, stored: str) -> Recipes:
    """Say how a norm is made."""
    return {name + kind: Whole(Source(stored + kind)) for kind in WEIGHT_AND_BIAS}


def one_layer(config: ModelConfig, layer: str) -> dict[str, Recipe]:
    """Say how one layer is made."""
    found = {
        **norm("input_layernorm.", f"{layer}ln_1."),
        **norm("pre_mlp_layernorm.", f"{layer}ln_2."),
    }
    for kind in WEIGHT_AND_BIAS:
        turned = kind == "weight"
        stored = f"{layer}attn.c_attn.{kind}"
        qkv = [Source(stored, turned, part=(third, 3)) for third in range(3)]
        found[f"self_attention.linear_qkv.{kind}"] = Attention(qkv, config.num_query_groups)
        found[f"mlp.linear_fc1.{kind}"] = Rows((Source(f"{layer}mlp.c_fc.{kind}", turned),))
    for name, stored in (
        ("self_attention.linear_proj", f"{layer}attn.c_proj"),
        ("mlp.linear_fc2", f"{layer}mlp.c_proj"),
    ):
        found[f"{name}.weight"] = Columns(Source(f"{stored}.weight", transposed=True))
        # It is added once, after the ranks' products are summed.
        found[f"{name}.bias"] = Whole(Source(f"{stored}.bias"))
    return found


GPT2 = Architecture(
    model_class="GPT2LMHeadModel",
    prefix="transformer.",
    config=config,
    recipes=recipes,
    ignored=(".attn.bias", ".attn.masked_bias"),
)
