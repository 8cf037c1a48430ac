from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrg.text.cleaning import clean_text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\x00b\x07 c", "ab c"),
        ("  结节大小约3.5cm\u3000\u3000×2.0cm。 ", "结节大小约3.5cm ×2.0cm。"),
        ("1.CLEAR.\\n\\n2.NO EFFUSION.", "1.CLEAR.\n2.NO EFFUSION."),
        ("\ufeff心影增大，", "心影增大，"),
        ("", ""),
        (" \n\t \r\n", ""),
    ],
)
def test_known_texts(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


@given(
    st.text(
        alphabet=st.characters(blacklist_categories=("Cc", "Cf", "Cs", "Zs", "Zl", "Zp"), blacklist_characters="\\")
    )
)
def test_visible_characters_stay(text: str) -> None:
    assert clean_text(text) == text


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once
