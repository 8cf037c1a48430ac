"""Cutting a report into pieces, so that the words that state a finding can be marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Mark", "Segment", "mark_text"]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Words to mark.

    Args:
        words: the words as they stand in the text.
        kind: how to mark them: an outcome, or ``true`` for a true finding in the reference.
        note: what the mark says.
    """

    words: str
    kind: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A piece of a text, marked or plain (``kind`` None)."""

    text: str
    kind: str | None = None
    note: str = ""


def mark_text(text: str, marks: Sequence[Mark]) -> list[Segment]:
    """Cut ``text`` at the marked words.

    Case counts only where the words stand in their own case. Each mark takes the first place of its words that no
    earlier mark covers; one whose words stand nowhere, or only inside marked words, joins its note to the mark that
    covers them, if there is one. The pieces joined give the text.

    Args:
        text: the report.
        marks: the marks, the most important first.
    """
    spans: list[tuple[int, int, str, list[str]]] = []
    lowered = text.lower()
    for mark in marks:
        if not mark.words:
            continue
        any_case = mark.words not in text and len(lowered) == len(text)
        where, words = (lowered, mark.words.lower()) if any_case else (text, mark.words)
        start = where.find(words)
        covering: tuple[int, int, str, list[str]] | None = None
        while start >= 0:
            end = start + len(words)
            clash = next((span for span in spans if span[0] < end and start < span[1]), None)
            if clash is None:
                spans.append((start, end, mark.kind, [mark.note]))
                break
            covering = covering or clash
            start = where.find(words, start + 1)
        else:
            if covering is not None and mark.note not in covering[3]:
                covering[3].append(mark.note)
    segments: list[Segment] = []
    position = 0
    for start, end, kind, notes in sorted(spans, key=lambda span: span[0]):
        if start > position:
            segments.append(Segment(text=text[position:start]))
        segments.append(Segment(text=text[start:end], kind=kind, note="; ".join(notes)))
        position = end
    if position < len(text):
        segments.append(Segment(text=text[position:]))
    return segments
