from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmrg.text.tokens import tokenize


def test_chinese_characters_with_latin_runs_whole() -> None:
    assert tokenize("结节3.5cm，CT约30%。T4-T5", "zh") == ["结", "节", "3.5cm", "，", "CT", "约", "30%", "。", "T4-T5"]


def test_english_words() -> None:
    assert tokenize("A 3.5 cm nodule isn't well-defined; 30% (T12).", "en") == [
        "A", "3.5", "cm", "nodule", "isn't", "well-defined", ";", "30%", "(", "T12", ")", ".",
    ]  # fmt: skip


@given(st.text(), st.sampled_from(["zh", "en"]))
def test_only_white_space_is_lost(text: str, language: str) -> None:
    assert "".join(tokenize(text, language)) == "".join(text.split())  # type: ignore[arg-type]
