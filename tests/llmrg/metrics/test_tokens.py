"""Tokenizers by name."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
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


@pytest.mark.parametrize("name", tokenizer_names())
@given(text=st.text(st.characters(codec=None), max_size=40))
def test_no_text_crashes_or_leaves_double_spaces(name, text):
    tokens = get_tokenizer(name)(text)
    assert "  " not in tokens
    assert tokens == tokens.strip(" ")


def test_defaults_and_unknown_names():
    assert (default_tokenizer("zh"), default_tokenizer("en")) == ("char", "ptb")
    with pytest.raises(UserError, match="fr"):
        default_tokenizer("fr")
    with pytest.raises(UserError, match="'jieba'"):
        get_tokenizer("jiba")


def test_scoring_imports_neither_torch_nor_jieba():
    code = "import sys, llmrg.metrics.scores; assert not {'torch', 'jieba', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[3])
