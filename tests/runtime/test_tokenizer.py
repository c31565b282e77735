"""Hugging Face tokenizers: of bytes, with byte fallback, and their chat templates."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import GenerationConfig, PreTrainedTokenizerFast

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.tokenizer import ChatTemplateError, HuggingFaceTokenizer, TextError

TEMPLATE = (
    "{%- for tool in tools or [] %}<tool>{{ tool.function | tojson }}{% endfor %}"
    "{%- for m in messages %}{% if m.role == 'skip' %}{% continue %}{% endif %}"
    "[{{ m.role }}]{{ m.content }}"
    "{%- for call in m.tool_calls or [] %}<call>{{ call.function.arguments.city }}{% endfor %}"
    "{{ eos_token }}{% endfor %}"
    "{%- if add_generation_prompt %}[assistant]{{ style | default('') }}{% endif %}"
)
SENTENCEPIECE = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a"]


def saved(tokenizer: Tokenizer, folder: Path, template: str | None = TEMPLATE) -> Path:
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    fast.chat_template = template
    fast.save_pretrained(folder)
    return folder


@pytest.fixture
def of_bytes(tmp_path: Path) -> HuggingFaceTokenizer:
    letters = ["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={t: n for n, t in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return HuggingFaceTokenizer(saved(tokenizer, tmp_path))


@pytest.fixture
def with_fallback(tmp_path: Path) -> HuggingFaceTokenizer:
    vocabulary = {token: number for number, token in enumerate(SENTENCEPIECE)}
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)])
    return HuggingFaceTokenizer(saved(tokenizer, tmp_path))


@pytest.mark.parametrize("kind", ["of_bytes", "with_fallback"])
def test_a_tokens_bytes_are_its_own(kind: str, request: pytest.FixtureRequest) -> None:
    tokenizer: HuggingFaceTokenizer = request.getfixturevalue(kind)
    tokens = tokenizer.encode("a€", add_special_tokens=False)
    assert b"".join(map(tokenizer.piece_bytes, tokens)) == "a€".encode()
    assert tokenizer.decode(tokens) == "a€"
    assert tokenizer.piece(tokens[-1]) == "\N{REPLACEMENT CHARACTER}"
    eos = tokenizer.eos_ids[0]
    assert tokenizer.piece_bytes(eos) == b"</s>"


def test_special_tokens_can_be_shown(of_bytes: HuggingFaceTokenizer) -> None:
    tokens = of_bytes.encode("a</s>", add_special_tokens=False)
    assert tokens[-1] == of_bytes.eos_ids[0]
    assert of_bytes.decode(tokens) == "a"
    assert of_bytes.decode(tokens, skip_special_tokens=False) == "a</s>"


def test_a_long_text_lets_other_threads_run(of_bytes: HuggingFaceTokenizer) -> None:
    beats = 0
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(of_bytes.encode, "hello there " * 100_000, add_special_tokens=False)
        while not working.done():
            beats += 1
            time.sleep(0.001)
    assert working.result()
    assert beats > 10


def test_half_a_character_is_no_text(of_bytes: HuggingFaceTokenizer) -> None:
    with pytest.raises(TextError, match="no Unicode: surrogates not allowed at 1"):
        of_bytes.encode("a\ud800", add_special_tokens=False)


@pytest.mark.parametrize(("stated", "ids"), [(7, (1, 7)), ([1, 9], (1, 9)), (None, (1,))], ids=str)
def test_all_that_ends_a_turn(
    of_bytes: HuggingFaceTokenizer, tmp_path: Path, stated: Any, ids: tuple[int, ...]
) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": stated}))
    assert HuggingFaceTokenizer(tmp_path).eos_ids == ids


def test_what_ends_a_turn_may_be_stated_beside_the_weights(
    of_bytes: HuggingFaceTokenizer, tmp_path: Path
) -> None:
    assert of_bytes.eos_ids == (1,)
    weights = tmp_path / "weights"
    weights.mkdir()
    GenerationConfig(eos_token_id=[7, 1]).save_pretrained(weights)
    assert HuggingFaceTokenizer(tmp_path, checkpoint=weights).eos_ids == (1, 7)
    GenerationConfig(eos_token_id=[1, 9]).save_pretrained(tmp_path)
    assert HuggingFaceTokenizer(tmp_path, checkpoint=weights).eos_ids == (1, 9, 7)


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_broken_generation_config_is_refused_by_its_name(
    of_bytes: HuggingFaceTokenizer, tmp_path: Path, content: str
) -> None:
    assert of_bytes.eos_ids
    (tmp_path / "generation_config.json").write_text(content)
    with pytest.raises(RejectedError, match=r"generation_config\.json"):
        HuggingFaceTokenizer(tmp_path)


def test_templates_see_tools_calls_and_options(of_bytes: HuggingFaceTokenizer) -> None:
    call = {"function": {"name": "f", "arguments": {"city": "Zürich"}}}
    text = of_bytes.render_chat(
        [
            {"role": "skip", "content": "x"},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
        ],
        tools=[{"type": "function", "function": {"name": "ü"}}],
        add_generation_prompt=True,
        style="!",
    )
    assert text == ('<tool>{"name": "ü"}[user]hi</s>[assistant]<call>Zürich</s>[assistant]!')


def test_the_last_message_can_be_left_open(of_bytes: HuggingFaceTokenizer) -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "I am"}]
    text = of_bytes.render_chat(messages, continue_final_message=True, add_generation_prompt=False)
    assert text == "[user]hi</s>[assistant]I am"


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.append(1) }}",
    "{% for i in range(10**9) %}{% endfor %}",
    "{{ raise_exception('roles must alternate') }}",
    "{{ messages[7].content }}",
]


@pytest.mark.parametrize("template", ESCAPES)
def test_templates_stay_in_their_sandbox(
    of_bytes: HuggingFaceTokenizer, tmp_path: Path, template: str
) -> None:
    tokenizer = HuggingFaceTokenizer(tmp_path, chat_template=template)
    assert tokenizer.chat_template == template
    with pytest.raises(ChatTemplateError, match="the chat template refused the messages: "):
        tokenizer.render_chat([{"role": "user", "content": "hi"}], add_generation_prompt=True)


@pytest.mark.parametrize("template", ["{% if %}", "a\n{{ messages", "{% nothing %}"])
def test_a_template_that_does_not_compile_is_refused_with_its_line(
    of_bytes: HuggingFaceTokenizer, tmp_path: Path, template: str
) -> None:
    line = template.count("\n") + 1
    with pytest.raises(RejectedError, match=f"does not compile: line {line}: ") as refused:
        HuggingFaceTokenizer(tmp_path, chat_template=template)
    assert refused.value.reason == Reason.CHAT_TEMPLATE_INVALID


def test_a_template_may_mark_what_the_assistant_says(
    of_bytes: HuggingFaceTokenizer, tmp_path: Path
) -> None:
    """`generation` is a tag of transformers' own, and `continue` one of Jinja's extensions."""
    marked = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"
    tokenizer = HuggingFaceTokenizer(tmp_path, chat_template=marked)
    assert tokenizer.render_chat([{"role": "assistant", "content": "hi"}]) == "hi"


def test_a_tokenizer_without_a_template(of_bytes: HuggingFaceTokenizer, tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").unlink()
    tokenizer = HuggingFaceTokenizer(tmp_path)
    assert tokenizer.chat_template is None
    with pytest.raises(ChatTemplateError, match="has no chat template"):
        tokenizer.render_chat([])
