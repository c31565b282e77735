import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from demo import ARITHMETIC
from demo.tokenizer import ASSISTANT, END_OF_TEXT, USER, VOCABULARY_SIZE, build_tokenizer
from demo.tokenizer import save_tokenizer as save

TOKENIZER = build_tokenizer()


def ids(text: str) -> list[int]:
    return list(TOKENIZER.encode(text).ids)


@given(st.text())
def test_any_text_survives(text: str) -> None:
    assert TOKENIZER.decode(ids(text), skip_special_tokens=False) == text


@given(st.text(st.characters(exclude_characters="<|>")), st.text())
def test_tokens_do_not_depend_on_what_stands_before(context: str, continuation: str) -> None:
    assert ids(context + continuation) == ids(context) + ids(continuation)


def test_no_token_is_added() -> None:
    assert len(ids("12+35=")) == 6


def test_the_vocabulary_divides_by_four() -> None:
    assert TOKENIZER.get_vocab_size() == VOCABULARY_SIZE == 260


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_the_shipped_files_are_the_ones_that_the_code_makes(name: str, tmp_path: Path) -> None:
    save(tmp_path, 2048)
    shipped = ARITHMETIC / "tokenizer" / name
    assert json.loads((tmp_path / name).read_text()) == json.loads(shipped.read_text())


def test_transformers_reads_it(tmp_path: Path) -> None:
    save(tmp_path, 2048)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer("12+35=\n").input_ids == ids("12+35=\n")
    assert tokenizer.eos_token == tokenizer.bos_token == END_OF_TEXT


def test_the_chat_template_is_the_form_of_the_training_data(tmp_path: Path) -> None:
    save(tmp_path, 2048)
    messages = [
        {"role": "user", "content": "1+2="},
        {"role": "assistant", "content": "3"},
        {"role": "user", "content": "3+4="},
    ]
    text = AutoTokenizer.from_pretrained(tmp_path).apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    assert text == f"{USER}1+2={ASSISTANT}3{END_OF_TEXT}{USER}3+4={ASSISTANT}"
