"""Tokenizers by name."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.errors import UserError
from llmrg.metrics.tokens import default_tokenizer, get_tokenizer, tokenizer_names


@pytest.mark.parametrize(
    ("name", "text", "tokens"),
    [
        ("raw", "  No\nEffusion. ", "No Effusion."),
        ("lower", "No\u3000Effusion.", "no effusion."),
        ("char", "心影 3.5cm\n大。", "心 影 3 . 5 c m 大 。"),
        ("char", "", ""),
        ("ptb", "No effusion.", "no effusion"),
    ],
)
def test_tokens(name, text, tokens):
    assert get_tokenizer(name)(text) == tokens


def test_jieba_keeps_every_character():
    pytest.importorskip("jieba")
    text = "双肺野清晰，心影不大。"
    tokens = get_tokenizer("jieba")(text)
    assert tokens.replace(" ", "") == text
    assert 1 < len(tokens.split()) < len(text)
    assert get_tokenizer("jieba").version.startswith("jieba-0.")


@pytest.mark.parametrize("name", [name for name in tokenizer_names() if name != "ptb-jar"])
@settings(deadline=None)
@given(text=st.text(st.characters(codec=None), max_size=40))
def test_no_text_crashes_or_leaves_double_spaces(name, text):
    tokens = get_tokenizer(name)(text)
    assert "  " not in tokens
    assert tokens == tokens.strip(" ")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("双膈面光整", "双 膈面 光整"),
        ("双侧膈面光整，肋膈角锐利。", "双侧 膈面 光整 ， 肋膈角 锐利 。"),
        ("右肺下叶可见斑片状高密度影。", "右肺 下叶 可见 斑片状 高密度影 。"),
        ("双肺纹理增多", "双 肺纹理 增多"),
    ],
)
def test_radiology_words_stay_whole(text, tokens):
    assert get_tokenizer("jieba-radiology")(text) == tokens
    assert get_tokenizer("jieba")(text) != tokens
    assert "+radiology-" in get_tokenizer("jieba-radiology").version


def test_many_texts_are_cut_as_each():
    texts = ["双肺清晰", "", "双肺清晰", "心影不大"]
    assert get_tokenizer("char").all(texts) == [get_tokenizer("char")(text) for text in texts]


def test_defaults_and_unknown_names():
    assert (default_tokenizer("zh"), default_tokenizer("en")) == ("char", "ptb")
    with pytest.raises(UserError, match="fr"):
        default_tokenizer("fr")
    with pytest.raises(UserError, match="'jieba'"):
        get_tokenizer("jiba")


def test_scoring_imports_neither_torch_nor_jieba():
    code = "import sys, llmrg.metrics.scores; assert not {'torch', 'jieba', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[3])
