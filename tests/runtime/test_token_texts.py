"""How single tokens are written, of a SentencePiece vocabulary: with spaces, apart, in place."""

import warnings
from collections.abc import Sequence

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, processors
from transformers import PreTrainedTokenizerFast

from proctor_runtime.engine.protocol import ScoredTokens
from proctor_runtime.openai.logprobs import chat_logprobs, completion_logprobs
from proctor_runtime.openai.offsets import Offsets
from proctor_runtime.openai.text import TextRules, whole_text
from proctor_runtime.tokenizer import HuggingFaceTokenizer

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
WORDS = ["<unk>", "<s>", "</s>", *BYTES, "▁", "a", "the", "▁the", "▁cat", "H", "▁H", "ä"]
ID = {word: number for number, word in enumerate(WORDS)}
PARTS = [ID["<0xC3>"], ID["<0xA4>"]]
NOTHING = ScoredTokens()


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceTokenizer:
    model = models.BPE(vocab=ID, merges=[], unk_token="<unk>", byte_fallback=True)
    made = Tokenizer(model)
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    made.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)])
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", ID["<s>"])]
    )
    folder = tmp_path_factory.mktemp("sentencepiece")
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=made, **special).save_pretrained(folder)
    return HuggingFaceTokenizer(folder)


def scored(tokens: Sequence[int], other: int | None = None) -> ScoredTokens:
    """Score tokens with -2 each, of which `other` would have been likelier."""
    top = [[]] * len(tokens) if other is None else [[other]] * len(tokens)
    values = [[]] * len(tokens) if other is None else [[-0.5]] * len(tokens)
    return ScoredTokens(tuple(tokens), (-2.0,) * len(tokens), tuple(top), tuple(values))


def of_words(*words: str) -> list[int]:
    return [ID[word] for word in words]


def offsets(tokenizer: HuggingFaceTokenizer, rules: TextRules, *new: str) -> list[int]:
    return Offsets(tokenizer, rules).of_new(of_words(*new))


@pytest.mark.parametrize(
    ("word", "piece"),
    [("▁the", " the"), ("the", "the"), ("▁", " "), ("<0x20>", " "), ("<s>", "<s>"), ("ä", "ä")],
)
def test_a_token_keeps_its_space(tokenizer: HuggingFaceTokenizer, word: str, piece: str) -> None:
    assert tokenizer.piece(ID[word]) == piece
    assert tokenizer.piece_bytes(ID[word]) == piece.encode()


def test_tokens_make_up_the_text(tokenizer: HuggingFaceTokenizer) -> None:
    tokens = of_words("▁the", "▁cat", "<0xC3>", "<0xA4>", "▁H", "a")
    content = chat_logprobs(scored(tokens), tokenizer)["content"]
    text = bytes(byte for entry in content for byte in entry["bytes"]).decode()
    assert text == " the catä Ha"
    assert text.removeprefix(" ") == tokenizer.decode(tokens)
    assert [entry["token"] for entry in content][2:4] == ["bytes:\\xc3", "bytes:\\xa4"]


def test_different_tokens_are_told_apart(tokenizer: HuggingFaceTokenizer) -> None:
    """Stock lm-eval takes a token for the likeliest unless it finds a likelier one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lm_eval.models.openai_completions import LocalCompletionsAPI

    for words, other, top in (
        (["▁the"], "the", {" the": -2.0, "the": -0.5}),
        (["<0xC3>"], "<0xC4>", {"bytes:\\xc3": -2.0, "bytes:\\xc4": -0.5}),
        (["a"], "<0x61>", {"a": -2.0, f"token_id:{ID['<0x61>']}": -0.5}),
        (["a"], "a", {"a": -0.5}),
    ):
        tokens = of_words(*words)
        lists = completion_logprobs(
            NOTHING, scored(tokens, ID[other]), tokenizer, Offsets(tokenizer, TextRules())
        )
        assert lists["top_logprobs"] == [top]
        if other not in words:
            lists = {name: [None, *values, None] for name, values in lists.items()}
            answer = {"choices": [{"index": 0, "logprobs": lists}]}
            read = LocalCompletionsAPI.parse_logprobs(answer, tokens=[tokens], ctxlens=[1])
            assert read == [(-2.0, False)]


def test_among_alternatives_of_one_text_the_likelier_has_it(
    tokenizer: HuggingFaceTokenizer,
) -> None:
    alternatives = of_words("a", "<0x61>")
    one = ScoredTokens((ID["H"],), (-3.0,), (alternatives,), ([-0.5, -1.0],))
    lists = completion_logprobs(NOTHING, one, tokenizer, Offsets(tokenizer, TextRules()))
    expected = {"a": -0.5, f"token_id:{ID['<0x61>']}": -1.0, "H": -3.0}
    assert lists["top_logprobs"] == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the cat", [0, 0, 0, 1, 2, 3, 4, 5, 6]),
        ("Ha", [0, 0, 0, 1]),
        ("</s>a", [0, 0, 4, 4]),
        ("aöa", [0, 0, 0, 1, 1, 2]),
    ],
)
def test_offsets_follow_a_prompt_as_it_was_given(
    tokenizer: HuggingFaceTokenizer, text: str, expected: list[int]
) -> None:
    tokens = tokenizer.encode(text, add_special_tokens=True)
    assert tokens[0] == ID["<s>"]
    walk = Offsets(tokenizer, TextRules(context=tuple(tokens)), text)
    assert walk.of_prompt(tokens) == expected
    assert walk.of_new(of_words("▁cat", "</s>")) == [len(text), len(text) + 4]


def test_offsets_follow_a_prompt_of_tokens(tokenizer: HuggingFaceTokenizer) -> None:
    tokens = of_words("<s>", "▁the", "▁cat")
    echo = tokenizer.decode(tokens, skip_special_tokens=False)
    assert echo == "<s> the cat"
    assert Offsets(tokenizer, TextRules(), echo).of_prompt(tokens) == [0, 3, 7]


@pytest.mark.parametrize(
    ("context", "skips", "expected"),
    [
        (["▁the"], True, [0, 4, 4, 8, 8, 9]),
        (["<s>"], True, [0, 3, 3, 7, 7, 8]),
        (["<s>"], False, [0, 4, 8, 12, 12, 13]),
        ([], True, [0, 3, 3, 7, 7, 8]),
    ],
    ids=["continues", "begins", "follows a special token", "follows nothing"],
)
def test_offsets_follow_what_is_new(
    tokenizer: HuggingFaceTokenizer, context: list[str], skips: bool, expected: list[int]
) -> None:
    rules = TextRules(context=tuple(of_words(*context)), skip_special_tokens=skips)
    words = ["▁cat", "</s>", "▁the", "<0xC3>", "<0xA4>", "a"]
    text, _ = whole_text(tokenizer, rules, of_words(*words))
    assert offsets(tokenizer, rules, *words) == expected
    assert text[expected[3] : expected[5]] == "ä"
    assert text[expected[5] :] == "a"
    walk = Offsets(tokenizer, rules)
    assert [at for word in words for at in walk.of_new(of_words(word))] == expected
