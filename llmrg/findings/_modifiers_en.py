"""Side, degree and place of a finding in an English sentence."""

from __future__ import annotations

import re

from llmrg.findings._lexicon_en_words import LEVEL, PLACE, SEPARATOR, SEVERITIES, SIDES
from llmrg.findings._sentence_en import Sentence
from llmrg.findings.mention import Severity, Side

__all__ = ["Modifiers"]

_ADJOINING = 12
"""Letters between two findings of one phrase, at most: nodular-like opacity."""
_DEGREE_AHEAD = re.compile(
    r"(?::|[^,;.:]{0,40},)\s*(?:now |currently |overall |probably |which is |still )?"
    r"(?=small|moderate|large|mild|trace|tiny|minimal|severe|massive|extensive|marked)"
)
_JOINED = re.compile(r",?(?: and/or| and| or| with|/|,) ?(?:(?!right|left|bilat)[\w-]+ ){0,2}$")


class Modifiers:
    """The words that belong to each finding of a sentence.

    Args:
        sentence: with its findings.
    """

    def __init__(self, sentence: Sentence) -> None:
        self._sentence = sentence
        self._text = sentence.text

    def side(self, index: int) -> Side | None:
        """Side of the finding with this index: its own, or that which the words after a list give to all of it."""
        return self._own_side(index) or self._shared_side(index)

    def severity(self, index: int) -> Severity | None:
        """Degree of the finding with this index."""
        hit = self._sentence.hits[index]
        clause_start, _ = self._sentence.clause(hit.start)
        start, end = self._words_before(index)
        cut = self._last_separator(max(start, clause_start), end)
        own = max(start, clause_start) if cut is None else cut
        first, last = self._words_after(index)
        ahead = _DEGREE_AHEAD.match(self._text, first)
        separator = SEPARATOR.search(self._text, ahead.end() if ahead else first, last)
        last = separator.start() if separator else last
        for low, high in ((own, hit.end), (first, last), (max(start, clause_start), hit.end)):
            level = LEVEL.search(self._text, low, high)
            for severity, pattern in SEVERITIES:
                if pattern.search(self._text, low, level.end("first") if level else high):
                    return severity
        return None

    def location(self, index: int) -> str | None:
        """The words of place as they stand in the sentence."""
        hit = self._sentence.hits[index]
        clause_start, _ = self._sentence.clause(hit.start)
        start, end = self._words_before(index)
        for low, high in (self._words_after(index), (max(start, clause_start), end), (hit.start, hit.end)):
            match = PLACE.search(self._text, low, high) if low < high else None
            if match:
                return self._sentence.shown[match.start() : match.end()].strip()
        return None

    def _own_side(self, index: int) -> Side | None:
        hit = self._sentence.hits[index]
        clause_start, _ = self._sentence.clause(hit.start)
        start, end = self._words_before(index)
        for low, high in ((max(start, clause_start), end), (hit.start, hit.end), self._words_after(index)):
            side = self._side_in(low, high)
            if side:
                return side
        while start < clause_start:
            low, _ = self._sentence.clause(clause_start - 1)
            side = self._side_in(max(low, start), clause_start)
            if side:
                return side
            clause_start = low
        return None

    def _shared_side(self, index: int) -> Side | None:
        """Side that the next finding has from the words after both: atelectasis and effusion on the left."""
        if index + 1 == len(self._sentence.hits):
            return None
        hit, following = self._sentence.hits[index], self._sentence.hits[index + 1]
        if following.normal or not _JOINED.match(self._text[hit.end : following.start]):
            return None
        return self._side_in(*self._words_after(index + 1))

    def _side_in(self, start: int, end: int) -> Side | None:
        if start >= end:
            return None
        found = {side for side, pattern in SIDES if pattern.search(self._text, start, end)}
        if not found:
            return None
        if {"left", "right"} <= found or found == {"bilateral"}:
            return "bilateral"
        found.discard("bilateral")
        return found.pop()

    def _words_before(self, index: int) -> tuple[int, int]:
        """Span from the end of what belongs to the finding before to the start of this one."""
        hit = self._sentence.hits[index]
        start = max((other.end for other in self._sentence.hits[:index] if other.end <= hit.start), default=0)
        if start == 0:
            return start, hit.start
        clause_end = next((bound for bound in self._sentence.bounds if start < bound <= hit.start), None)
        cut = clause_end if clause_end is not None else self._last_separator(start, hit.start)
        return (cut if cut is not None else start), hit.start

    def _words_after(self, index: int) -> tuple[int, int]:
        hit = self._sentence.hits[index]
        _, end = self._sentence.clause(max(hit.start, hit.end - 1))
        start = hit.end
        following = end
        for other in self._sentence.hits[index + 1 :]:
            if self._adjoin(start, other.start):  # an adjective and its noun share what follows: nodular opacity
                start = max(start, other.end)
            else:
                following = other.start
                break
        if following < end:
            cut = self._last_separator(start, following)
            return start, cut if cut is not None else following
        return start, end

    def _adjoin(self, end: int, start: int) -> bool:
        between = self._text[max(end, 0) : start]
        return len(between) <= 1 or (
            len(between) <= _ADJOINING
            and not SEPARATOR.search(between)
            and not any(pattern.search(between) for _, pattern in SIDES)
        )

    def _last_separator(self, start: int, end: int) -> int | None:
        last = None
        for match in SEPARATOR.finditer(self._text, start, end):
            last = match.end()
        return last
