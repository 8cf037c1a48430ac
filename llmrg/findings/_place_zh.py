"""Side, place and degree of the findings of a Chinese sentence."""

from __future__ import annotations

from functools import cached_property

from llmrg.findings import _cues_zh as cues
from llmrg.findings._statement_zh import Hit, Statement
from llmrg.findings.mention import Severity, Side

__all__ = ["NO_SIDE", "Places", "degree_in"]

NO_SIDE = frozenset({"support_device", "rib_fracture", "cardiomegaly", "enlarged_mediastinum"})
"""Findings whose side says nothing of findings after them."""
_NO_DEGREE = frozenset({"nodule"})
"""Findings whose words of size are no degree."""
_ADJOINING = 3
"""Characters between two findings of one phrase, at most: 结节状密度增高影."""


class Places:
    """Where the findings of a sentence are, and how much of them there is.

    Words belong to the finding that follows them up to the one before or to a word that parts the two; where none
    stand there, to the finding before them.
    """

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._text = statement.text
        self._hits = statement.hits

    def own(self, index: int) -> tuple[Side | None, str | None]:
        """Return the side and the words of place that belong to one finding."""
        hit = self._hits[index]
        clause_start, _ = self._statement.clause(hit.start)
        start, end = self._words_before(index)
        windows = [(max(start, clause_start), end), (hit.start, hit.end), self._words_after(index)]
        while start < clause_start:
            low, _ = self._statement.clause(clause_start - 1)
            windows.append((max(low, start), clause_start))
            clause_start = low
        side: Side | None = None
        place: str | None = None
        for low, high in windows:
            if low < high:
                side = self._side_in(low, high)
                place = place or self._place_in(low, high)
                if side:
                    break
        return side, place

    def with_following(self, index: int, side: Side | None) -> Side | None:
        """Join the sides that clauses without a finding add: 胸腔积液，右侧中量，左侧少量."""
        sides = {side} if side else set()
        for start, end in self._statement.silent_clauses(self._hits[index]):
            match = cues.BARE_SIDE.match(self._statement.words(start, end))
            if not match:
                break
            sides.add("left" if match["side"] == "左" else "right")
        return _joined(sides)

    def degree(self, index: int) -> Severity | None:
        """Return the degree that belongs to one finding."""
        hit = self._hits[index]
        if hit.observation in _NO_DEGREE:
            return None
        clause_start, _ = self._statement.clause(hit.start)
        start, end = self._words_before(index)
        start = max(start, clause_start)
        cut = self._statement.last_separator(start, end)
        first, last = self._words_after(index)
        separator = cues.SEPARATOR.search(self._text, first, last)
        last = separator.start() if separator else last
        degree = (
            degree_in(self._text, start if cut is None else cut, hit.end)
            or degree_in(self._text, first, last, after=True)
            or degree_in(self._text, start, hit.end)
        )
        return degree or self._degree_later(hit)

    def _degree_later(self, hit: Hit) -> Severity | None:
        for start, end in self._statement.silent_clauses(hit):
            clause = self._statement.words(start, end)
            if cues.BARE_QUANTITY.match(clause) or cues.BARE_SIDE.match(clause):
                for severity, pattern in cues.BARE_DEGREES:
                    if pattern.search(clause):
                        return severity
        return None

    def _words_before(self, index: int) -> tuple[int, int]:
        """Span from the end of what belongs to the finding before to the start of this one."""
        hit = self._hits[index]
        start = max((other.end for other in self._hits[:index] if other.end <= hit.start), default=0)
        if start == 0:
            return start, hit.start
        clause = next((bound for bound in self._statement.bounds if start < bound <= hit.start), None)
        cut = clause if clause is not None else self._statement.last_separator(start, hit.start)
        return (cut if cut is not None else start), hit.start

    def _words_after(self, index: int) -> tuple[int, int]:
        hit = self._hits[index]
        end = self._statement.clause_end(hit)
        start = hit.end
        for other in self._hits[index + 1 :]:
            near = other.start - start <= _ADJOINING and not self._sides_in(start, other.start)
            if other.start < start or near:  # an adjective and its noun share what follows
                start = max(start, other.end)
            elif other.start < end:
                cut = self._statement.last_separator(start, other.start)
                return start, cut if cut is not None else other.start
            else:
                break
        return start, max(start, end)

    @cached_property
    def _side_words(self) -> list[tuple[int, int, Side]]:
        found = [(*match.span(), cues.SIDE_OF[match.lastgroup or ""]) for match in cues.SIDES.finditer(self._text)]
        if len(found) > 1:
            compared = [match.span() for match in cues.COMPARATIVE.finditer(self._text)]
            kept = [word for word in found if not any(low <= word[0] and word[1] <= high for low, high in compared)]
            return kept or found
        return found

    def _sides_in(self, start: int, end: int) -> set[Side]:
        return {side for low, high, side in self._side_words if start <= low and high <= end}

    def _side_in(self, start: int, end: int) -> Side | None:
        return _joined(self._sides_in(start, end))

    def _place_in(self, start: int, end: int) -> str | None:
        last = None
        for match in cues.PLACE.finditer(self._text, start, end):
            if match.end() - match.start() > 1:
                last = match
        return self._statement.shown[last.start() : last.end()] if last else None


def _joined(sides: set[Side]) -> Side | None:
    if len(sides) > 1:
        return "bilateral"
    return next(iter(sides), None)


def degree_in(text: str, start: int, end: int, *, after: bool = False) -> Severity | None:
    """Return the degree that a span states, that of a change left out.

    Args:
        text: a folded sentence.
        start: of the span.
        end: of the span.
        after: whether the span stands behind the finding's name, where 明显增多 speaks of a change.
    """
    if start >= end:
        return None
    changes: list[tuple[int, int]] | None = None
    for severity, pattern in cues.DEGREES:
        for match in pattern.finditer(text, start, end):
            if changes is None:
                changes = [change.span() for change in cues.CHANGE_DEGREE.finditer(text, start, end)]
                if after:
                    changes += [change.span() for change in cues.CHANGE_AFTER.finditer(text, start, end)]
            if not any(low <= match.start() < high for low, high in changes):
                return severity
    return None
