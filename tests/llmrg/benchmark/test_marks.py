from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmrg.benchmark.marks import Mark, mark_text

TEXTS = st.text(alphabet="ab肺 。", max_size=30)


@given(TEXTS, st.lists(TEXTS, max_size=5))
def test_the_pieces_make_the_text(text: str, words: list[str]) -> None:
    segments = mark_text(text, [Mark(words=word, kind="right", note=word) for word in words])
    assert "".join(segment.text for segment in segments) == text
    assert all(segment.text for segment in segments)


def test_marks_take_their_words_and_repeats_take_the_next_place() -> None:
    marks = [Mark(words="胸腔积液", kind="invented", note="1"), Mark(words="胸腔积液", kind="right", note="2")]
    segments = mark_text("左侧胸腔积液，右侧胸腔积液。", marks)
    assert [(s.text, s.kind) for s in segments] == [
        ("左侧", None),
        ("胸腔积液", "invented"),
        ("，右侧", None),
        ("胸腔积液", "right"),
        ("。", None),
    ]


def test_covered_words_join_their_note() -> None:
    marks = [
        Mark(words="effusion and edema", kind="missed", note="effusion"),
        Mark(words="edema", kind="right", note="e"),
    ]
    (_, segment, _) = mark_text("An effusion and edema.", marks)
    assert (segment.kind, segment.note) == ("missed", "effusion; e")
