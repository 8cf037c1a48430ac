"""Odd texts are noted; ordinary ones are not."""

import pytest

from llmrg.metrics.text_notes import text_notes

GOOD = {"en": ["The lungs are clear.", "No effusion; CT advised.", "None."], "zh": ["双肺清晰。", "PICC置管术后。"]}


def notes(references, *, hypotheses=None, language="en", tokenizer="ptb"):
    return text_notes(hypotheses or GOOD[language], references, language=language, tokenizer=tokenizer)


@pytest.mark.parametrize(("language", "tokenizer"), [("en", "ptb"), ("zh", "char"), ("zh", "jieba")])
def test_ordinary_texts_have_no_notes(language, tokenizer):
    assert notes(GOOD[language], language=language, tokenizer=tokenizer) == []


@pytest.mark.parametrize(
    ("references", "options", "match"),
    [
        (["", "  ", "Clear."], {}, "2 of 3 references are empty"),
        (["nan", "None", "Clear.", "Findings: nan Impression: None"], {}, "3 of 4 references say nan or None"),
        (GOOD["zh"], {"language": "zh", "tokenizer": "ptb"}, "2 of 2 references are Chinese, but tokens are 'ptb'"),
        (GOOD["zh"], {}, "Most references are not in the stated language 'en': 2 of 2"),
        (GOOD["en"], {"language": "zh", "tokenizer": "char"}, "Most references are not in the stated language 'zh'"),
        ([*GOOD["en"], "双肺清晰。"], {"tokenizer": "char"}, r"1 of 4 references are not in the stated language 'en'"),
        ([f"the lungs of case {n} are clear and the heart is not" for n in range(9)], {}, "exactly 12 words"),
        (
            [f"第{n}例双肺纹理清晰心影" for n in range(9)],
            {"language": "zh", "tokenizer": "char"},
            "exactly 11 characters",
        ),
    ],
)
def test_odd_texts_are_noted(references, options, match):
    found = notes(references, **options)
    assert any(match in note for note in found), found
