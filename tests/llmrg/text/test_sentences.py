from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrg.text.sentences import cut_long_sentence, split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("双肺清晰。心影不大；膈面光整", ["双肺清晰。", "心影不大；", "膈面光整"]),
        ("1.双肺纹理增多；2.右侧第3、4肋骨折。3、心影增大", ["双肺纹理增多；", "右侧第3、4肋骨折。", "心影增大"]),
        ("结节约3.5cm×2.0cm。\n2、右侧胸腔积液 3.心影大", ["结节约3.5cm×2.0cm。", "右侧胸腔积液", "心影大"]),
        ("①双肺清晰②心影大", ["双肺清晰", "心影大"]),
        ("一、支气管炎？\n二、建议复查！", ["支气管炎？", "建议复查！"]),
        ("", []),
        ("。。。", []),
    ],
)
def test_chinese(text: str, sentences: list[str]) -> None:
    assert split_sentences(text, "zh") == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("The lungs are clear. No effusion.", ["The lungs are clear.", "No effusion."]),
        ("A 3.5 cm nodule vs. mass. Dr. Smith agrees.", ["A 3.5 cm nodule vs. mass.", "Dr. Smith agrees."]),
        (
            "1.NO EVIDENCE OF PNEUMOTHORAX.\n\n2.STABLE CARDIOMEGALY. 3. PICC",
            ["NO EVIDENCE OF PNEUMOTHORAX.", "STABLE CARDIOMEGALY.", "PICC"],
        ),
        ("1. CLEAR.2.NO EFFUSION.", ["CLEAR.", "NO EFFUSION."]),
        ("The heart,\nwhich is big. Seen\nat T12. End", ["The heart, which is big.", "Seen at T12.", "End"]),
        ("No. 5 rib; T4-T5 level?", ["No. 5 rib;", "T4-T5 level?"]),
        ("Is it seen? No", ["Is it seen?", "No"]),
    ],
)
def test_english(text: str, sentences: list[str]) -> None:
    assert split_sentences(text, "en") == sentences


@given(st.text(), st.sampled_from(["zh", "en"]))
def test_never_raises_and_invents_nothing(text: str, language: str) -> None:
    sentences = split_sentences(text, language)  # type: ignore[arg-type]
    joined = "".join("".join(sentences).split())
    remaining = iter("".join(text.replace("\\n", " ").split()))
    assert all(character in remaining for character in joined)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("1.双肺感染2.左侧胸腔积液3.心影增大", ["双肺感染", "左侧胸腔积液", "心影增大"]),
        ("诊断:1、右肺炎 2、积液", ["诊断:", "右肺炎", "积液"]),
        ("右侧第3.4肋骨折，直径约1.5cm", ["右侧第3.4肋骨折，直径约1.5cm"]),
    ],
)
def test_chinese_list_numbers_without_marks_before_them(text: str, sentences: list[str]) -> None:
    assert split_sentences(text, "zh") == sentences


@pytest.mark.parametrize("mark", ["，", ", ", "、", " ", ""])
def test_a_sentence_without_end_is_cut_at_its_marks(mark: str) -> None:
    sentence = mark.join(["effusion"] * 400)
    pieces = cut_long_sentence(sentence, 100)
    assert "".join(pieces) == sentence
    assert max(map(len, pieces)) <= 100 and min(map(len, pieces)) > 0
    if mark:
        assert all(piece.strip("，,、 ").replace("effusion", "").strip("，,、 ") == "" for piece in pieces)
    assert cut_long_sentence("short", 100) == ["short"]
