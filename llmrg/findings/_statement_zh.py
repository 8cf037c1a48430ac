"""A Chinese sentence cut into what its reading works on: findings, cues, clauses."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from llmrg.findings import _cues_zh as cues
from llmrg.findings._lexicon_zh import CHINESE

__all__ = ["Cue", "Hit", "Statement", "fold"]

_FOLDED = str.maketrans(
    {
        **dict(zip(",;:!?()[]．％－—–−\n｡､瘀", "，；：！？（）（）.%----，。、淤", strict=True)),
        **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
        **{chr(0xFF21 + letter): chr(0x41 + letter) for letter in range(26)},
        **{chr(0xFF41 + letter): chr(0x61 + letter) for letter in range(26)},
    }
)
_BREAK = re.compile(r"(?<=[\u4e00-\u9fff）])[ \u3000](?=[\u4e00-\u9fff（])")
_MISSPELT = (("肋隔", "肋膈"), ("横隔", "横膈"), ("隔面", "膈面"), ("隔肌", "膈肌"), ("纵膈", "纵隔"), ("粘联", "粘连"))
_END_MARKS = "，。；：！？ "


def fold(text: str) -> str:
    """Bring a text into the form that the patterns expect, character by character (its length stays).

    Punctuation becomes full-width, digits and letters half-width; a space between words becomes a comma, and the
    usual misspellings of 肋膈角, 纵隔 and 膈 are mended.
    """
    text = text.translate(_FOLDED)
    if " " in text:
        text = _BREAK.sub("，", text)
    for wrong, right in _MISSPELT:
        if wrong in text:
            text = text.replace(wrong, right)
    return text


@dataclass(slots=True)
class Hit:
    """A finding's name (or, ``normal``, a statement that denies it without a negation) and where it stands."""

    observation: str
    start: int
    end: int
    normal: bool


@dataclass(slots=True)
class Cue:
    """A word that changes what is said of findings; its kind is a group of ``CUES``."""

    kind: str
    start: int
    end: int


def _blot(match: re.Match[str]) -> str:
    return "_" * len(match.group())


class Statement:
    """One sentence: ``shown`` as written, ``text`` as folded, its ``hits`` in reading order."""

    def __init__(self, sentence: str) -> None:
        self.shown = sentence
        self.text = fold(sentence)
        self.all_normal: re.Match[str] | None = None
        self.hits = self._find_hits()

    def _find_hits(self) -> list[Hit]:
        present = set(self.text)
        blotted = self.text
        if not CHINESE.globally_normal.triggers.isdisjoint(present):
            self.all_normal = CHINESE.globally_normal.pattern.search(blotted)
            blotted = CHINESE.globally_normal.pattern.sub(_blot, blotted) if self.all_normal else blotted
        if not CHINESE.lookalikes.triggers.isdisjoint(present):
            blotted = CHINESE.lookalikes.pattern.sub(_blot, blotted)
        hits: list[Hit] = []
        for phrases, normals, text in (
            (CHINESE.phrases, CHINESE.normals, blotted),
            (CHINESE.wider_phrases, CHINESE.wider_normals, self.text),
        ):
            for observation, (triggers, pattern) in phrases.items():
                if not triggers.isdisjoint(present):
                    hits += [Hit(observation, *match.span(), False) for match in pattern.finditer(text)]
            for observation, (triggers, pattern) in normals.items():
                if not triggers.isdisjoint(present):
                    for match in pattern.finditer(text):
                        hits = _with_normal(hits, observation, *match.span())
        hits.sort(key=lambda hit: (hit.start, hit.end))
        return hits

    @cached_property
    def cues(self) -> list[Cue]:
        """All cues, in reading order."""
        if cues.CUE_CHARACTERS.isdisjoint(self.text):
            return []
        return [Cue(match.lastgroup or "", *match.span()) for match in cues.CUES.finditer(self.text)]

    @cached_property
    def bounds(self) -> list[int]:
        """Where clauses start, and one past the end of the text."""
        return [0, *(match.end() for match in cues.CLAUSE_END.finditer(self.text)), len(self.text) + 1]

    def clause(self, position: int) -> tuple[int, int]:
        """Return start and end of the clause at a position."""
        index = bisect_right(self.bounds, position)
        return self.bounds[index - 1], min(self.bounds[min(index, len(self.bounds) - 1)], len(self.text))

    def clause_end(self, hit: Hit) -> int:
        """Return where the clause ends in which a finding's name ends."""
        return self.clause(max(hit.start, hit.end - 1))[1]

    def words(self, start: int, end: int) -> str:
        """Return the words of a clause without its punctuation."""
        return self.text[start:end].rstrip(_END_MARKS)

    def hit_between(self, start: int, end: int) -> bool:
        """Whether a finding starts in a span."""
        return any(start <= other.start < end for other in self.hits)

    def silent_clauses(self, hit: Hit) -> list[tuple[int, int]]:
        """Return the clauses after a finding's own, up to the next one that names a finding."""
        found = []
        end = self.clause_end(hit)
        while end < len(self.text):
            start, end = self.clause(end)
            if self.hit_between(start, end):
                break
            found.append((start, end))
        return found

    def last_separator(self, start: int, end: int) -> int | None:
        """Return the end of the last word between two findings that parts their words."""
        last = None
        for match in cues.SEPARATOR.finditer(self.text, start, end):
            last = match.end()
        return last


def _with_normal(hits: list[Hit], observation: str, start: int, end: int) -> list[Hit]:
    """Add a normal statement, which replaces what it holds of its finding and yields to what holds it."""
    if any(hit.observation == observation and hit.start < start and hit.end > end for hit in hits):
        return hits
    kept = [hit for hit in hits if hit.observation != observation or hit.end <= start or hit.start >= end]
    return [*kept, Hit(observation, start, end, True)]
