"""Windows: every character in one window, every token at its place, cuts between sentences."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from llmrg.language.graph_encoder import GraphEncoderConfig, new_encoder
from llmrg.language.graph_windows import SpanMap, Windows

CHINESE = "双肺纹理增多、增粗。右肺下叶见片状影，大小约3×2cm；余肺野清晰。\n心影不大😷，膈面光整。"
ENGLISH = "The lungs are clear. Mild cardiomegaly, unchanged.\n No pleural-based effusion (T12)."
FULL_WIDTH = "左肺Ｔ１２旁见ｎｏｄｕｌｅ，直径约①㎝…边界清😀👨‍👩‍👧。Café-au-lait？"


def byte_level() -> Tokenizer:
    """Tokens of this tokenizer are bytes: a Chinese character has three, an emoji four."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([], trainers.BpeTrainer(initial_alphabet=alphabet, show_progress=False))
    return tokenizer


def metaspace() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    alphabet = sorted(set(CHINESE + ENGLISH + FULL_WIDTH))
    trainer = trainers.UnigramTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False, unk_token="<unk>")
    tokenizer.train_from_iterator([CHINESE, ENGLISH, FULL_WIDTH] * 3, trainer)
    return tokenizer


def own() -> Tokenizer:
    return new_encoder(GraphEncoderConfig(), [CHINESE, ENGLISH] * 3, seed=0).tokenizer


@pytest.mark.parametrize("make", [byte_level, metaspace, own])
@pytest.mark.parametrize("text", [CHINESE, ENGLISH, FULL_WIDTH])
@pytest.mark.parametrize("limit", [500, 20])
def test_every_character_belongs_to_one_token_of_one_window(make, text, limit) -> None:
    windows = Windows(make(), max_tokens=limit).cut(text)
    assert (len(windows) > 1) or limit == 500
    reached = 0
    for window in windows:
        assert len(window.ids) <= limit
        for start, end, kept, continues in zip(window.starts, window.ends, window.kept, window.continues, strict=True):
            if not kept:
                continue
            assert start < end
            assert start >= reached or continues
            between = text[reached:start]
            # Joiners and variation selectors stand in no token of WordPiece.
            assert all(one.isspace() or not one.isprintable() for one in between)
            reached = max(reached, end)
    assert text[reached:].strip() == ""


@pytest.mark.parametrize("make", [byte_level, metaspace, own])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CHINESE, ["双肺", "纹理", "增多", "片状", "😷", "光整"]),
        (ENGLISH, ["lungs", "clear", "cardiomegaly", "pleural", "effusion"]),
        (FULL_WIDTH, ["左肺", "边界", "清"]),
    ],
)
def test_a_word_is_found_by_its_characters(make, text, words) -> None:
    (window,) = Windows(make(), max_tokens=500).cut(text)
    spans = SpanMap(window)
    if make is metaspace and text is not ENGLISH:
        pytest.skip("its words are pieces of sentences")
    for word in words:
        start = text.index(word)
        first, last = spans.tokens(start, start + len(word))
        assert text[window.starts[first] : window.ends[last]] == word
        assert not window.continues[first]


def test_a_border_within_a_word_or_a_character_is_no_border() -> None:
    (window,) = Windows(byte_level(), max_tokens=200).cut("effusion 肺")
    spans = SpanMap(window)
    assert spans.tokens(0, 8) is not None
    assert spans.tokens(0, 4) is None and spans.tokens(4, 8) is None
    first, last = spans.tokens(9, 10)
    assert last - first == 2  # the character's three bytes


def test_long_reports_are_cut_where_sentences_end() -> None:
    text = "双肺纹理增多。" * 30
    windows = Windows(own(), max_tokens=40).cut(text)
    assert len(windows) > 4
    assert all(window.starts[1] % 7 == 0 for window in windows)  # each begins with a sentence


def test_a_text_without_any_border_is_cut_too() -> None:
    windows = Windows(own(), max_tokens=20).cut("肺" * 100)
    assert sum(sum(window.kept) for window in windows) == 100


def test_empty_texts_have_no_window_and_special_tokens_are_ordinary_text() -> None:
    windows = Windows(own(), max_tokens=40)
    assert windows.cut("") == windows.cut(" \n ") == []
    (window,) = windows.cut("[SEP] 肺\ud800")
    assert window.starts[1] == 0 and window.ids.count(window.ids[-1]) == 1


def test_no_room() -> None:
    with pytest.raises(ValueError, match="too small"):
        Windows(own(), max_tokens=4)
