"""Reading one Chinese sentence: which findings it names, with which polarity, side and degree."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from llmrg.findings._lexicon import Lexicon
from llmrg.findings._reading import Reading
from llmrg.findings.mention import Polarity, Severity, Side

__all__ = ["read_chinese_sentence"]

_EXAMPLES = re.compile(r"[\s，,]*(?:例?如|比如|包括)")
_LIST_CLAUSES = 12
"""Clauses that one negated list may run through, at most."""
_ADJOINING = 12
"""Letters between two findings of one phrase, at most: nodular like opacity."""


@dataclass(slots=True)
class _Hit:
    observation: str
    start: int
    end: int
    normal: bool


@dataclass(slots=True)
class _Cue:
    kind: str
    start: int
    end: int


def read_chinese_sentence(sentence: str, lexicon: Lexicon, observations: tuple[str, ...]) -> tuple[Reading, ...]:
    """Read a sentence.

    Args:
        sentence: one sentence, as :func:`llmrg.text.sentences.split_sentences` gives it.
        lexicon: what to look for.
        observations: those that are wanted; others still bound the words that belong to each finding.

    Returns:
        The wanted findings in reading order.
    """
    return _Reader(sentence, lexicon).read(frozenset(observations))


def _blot(match: re.Match[str]) -> str:
    return "_" * len(match.group())


class _Reader:
    def __init__(self, sentence: str, lexicon: Lexicon) -> None:
        self._shown = sentence
        text = sentence.lower() if lexicon.language == "en" else sentence
        if len(text) != len(sentence):  # a few letters change length when lowered
            self._shown = text
        self._lexicon = lexicon
        self._text = lexicon.blanks.sub(_blot, text)
        self._hits = self._find_hits()

    def read(self, wanted: frozenset[str]) -> tuple[Reading, ...]:
        readings = []
        carried: Side | None = None
        for index, hit in enumerate(self._hits):
            polarity: Polarity = "negative" if hit.normal else self._polarity(hit)
            side = None if hit.normal else self._own_side(index)
            if side is None and polarity != "negative":
                side = carried
            elif side is not None and hit.observation not in self._lexicon.no_side:
                carried = side
            if hit.observation in wanted:
                severity = None if polarity == "negative" else self._severity(index)
                proof = self._shown[hit.start : hit.end]
                readings.append(Reading(hit.observation, polarity, side, severity, proof, hit.normal))
        return tuple(readings)

    def _find_hits(self) -> list[_Hit]:
        text = self._text
        hits: list[_Hit] = []
        for observation, pattern in self._lexicon.phrases.items():
            hits += [_Hit(observation, m.start(), m.end(), False) for m in pattern.finditer(text)]
        for observation, pattern in self._lexicon.normals.items():
            for match in pattern.finditer(text):
                start, end = match.span()
                if any(h.observation == observation and h.start < start and h.end > end for h in hits):
                    continue
                hits = [h for h in hits if h.observation != observation or h.end <= start or h.start >= end]
                hits.append(_Hit(observation, start, end, True))
        hits.sort(key=lambda hit: (hit.start, hit.end))
        return hits

    @cached_property
    def _cues(self) -> list[_Cue]:
        return [_Cue(m.lastgroup or "", m.start(), m.end()) for m in self._lexicon.cues.finditer(self._text)]

    @cached_property
    def _bounds(self) -> list[int]:
        return [0, *(match.end() for match in self._lexicon.clause.finditer(self._text)), len(self._text) + 1]

    def _clause(self, position: int) -> tuple[int, int]:
        index = bisect_right(self._bounds, position)
        return self._bounds[index - 1], self._bounds[min(index, len(self._bounds) - 1)]

    # -- polarity ----------------------------------------------------------------------------------------------------

    def _polarity(self, hit: _Hit) -> Polarity:
        start, _ = self._clause(hit.start)
        _, end = self._clause(max(hit.start, hit.end - 1))
        inside = [cue.kind for cue in self._cues if hit.start <= cue.start and cue.end <= hit.end]
        if "neg" in inside or ("neg_after" in inside and self._lexicon.language == "en"):
            return "negative"
        if "unc" in inside:
            return "uncertain"
        after = self._after(hit, end)
        before = self._before(hit, start)
        if "negative" in (after, before):
            return "negative"
        if "uncertain" in (after, before):
            return "uncertain"
        if self._lexicon.language == "zh" and self._carried_negation(hit, start, end):
            return "negative"
        return "positive"

    def _before(self, hit: _Hit, start: int) -> Polarity | None:
        """Polarity that the cues in front give, the nearest first."""
        doubt: _Cue | None = None
        for cue in reversed(self._cues):
            if cue.end > hit.start:
                continue
            if cue.start < start or cue.kind == "stop":
                break
            if cue.kind == "neg":
                if self._own_statement(cue, hit):
                    return "uncertain" if doubt else None
                return "negative" if doubt is None or self._denies_doubt(cue, doubt) else "uncertain"
            if cue.kind in ("unc", "evoke") or (cue.kind == "either" and not self._hit_between(cue.end, hit.start)):
                doubt = doubt or cue
        return "uncertain" if doubt else None

    def _denies_doubt(self, negation: _Cue, doubt: _Cue) -> bool:
        """Whether a negation reaches through a doubt: no suspicious nodule, nothing to suggest pneumonia."""
        if doubt.kind == "evoke" or self._lexicon.language == "zh":
            return True
        between = self._text[negation.end : doubt.start]
        return "," not in between and not self._hit_between(negation.end, doubt.start)

    def _hit_between(self, start: int, end: int) -> bool:
        return any(start <= other.start < end for other in self._hits)

    def _after(self, hit: _Hit, end: int) -> Polarity | None:
        for cue in self._cues:
            if cue.start < hit.end:
                continue
            if cue.start >= end or cue.kind == "stop":
                break
            if cue.kind in ("neg", "unc", "evoke"):
                break
            if cue.kind == "neg_after":
                return "negative"
            if cue.kind == "unc_after":
                return "uncertain"
            if cue.kind == "either":
                return None if self._hit_between(hit.end, cue.start) else "uncertain"
        return None

    def _own_statement(self, cue: _Cue, hit: _Hit) -> bool:
        """Whether the finding starts a statement of its own after the negation (English lists)."""
        if self._lexicon.language == "zh":
            return False
        between = self._text[cue.end : hit.start]
        if "," in between and self._lexicon.predicates.search(self._text[hit.start : hit.end]):
            return True
        starts = list(self._lexicon.list_item.finditer(between))
        if not starts or not any(cue.end <= other.start < cue.end + starts[-1].start() for other in self._hits):
            return False
        head = between[: starts[-1].start()]
        tail = between[starts[-1].start() :] + self._text[hit.end :]
        return not re.search(r"\b(?:or|nor)\b", tail.split(";")[0]) and not re.search(r"\bor\b[^,]*$", head + " ")

    def _carried_negation(self, hit: _Hit, start: int, end: int) -> bool:
        """Whether the clause is one more item of a negated list: 未见气胸，胸腔积液。."""
        if self._lexicon.predicates.search(self._text[hit.start : hit.end]):
            return False
        if any(pattern.search(self._text, start, end) for _, pattern in self._lexicon.severities):
            return False
        if not any(cue.kind == "neg" and cue.end <= start for cue in self._cues):
            return False
        for _ in range(_LIST_CLAUSES):
            if start <= 0:
                break
            blotted = list(self._text[start:end])
            for other in self._hits:
                if start <= other.start < end and not other.normal:
                    low, high = other.start - start, other.end - start
                    blotted[low:high] = "_" * (other.end - other.start)
            clause = "".join(blotted).rstrip("，,；;。：: ")
            examples = _EXAMPLES.match(clause) is not None
            if not examples and not self._lexicon.list_item.match(re.sub("[、及或]", "", clause)):
                return False
            start, end = self._clause(start - 1)
            cues = [cue for cue in self._cues if start <= cue.start < end and cue.kind != "pseudo"]
            if cues:
                last = cues[-1]
                named = examples or self._hit_between(last.end, end)
                return last.kind == "neg" and named
        return False

    # -- side and degree ---------------------------------------------------------------------------------------------

    def _words_before(self, index: int) -> tuple[int, int]:
        """Span from the end of what belongs to the finding before to the start of this one."""
        hit = self._hits[index]
        start = max((other.end for other in self._hits[:index] if other.end <= hit.start), default=0)
        if start == 0:
            return start, hit.start
        clause_end = next((bound for bound in self._bounds if start < bound <= hit.start), None)
        cut = clause_end if clause_end is not None else self._last_separator(start, hit.start)
        return (cut if cut is not None else start), hit.start

    def _words_after(self, index: int) -> tuple[int, int]:
        hit = self._hits[index]
        _, end = self._clause(max(hit.start, hit.end - 1))
        start = hit.end
        following = end
        for other in self._hits[index + 1 :]:
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
            and not self._lexicon.separator.search(between)
            and not any(pattern.search(between) for pattern in self._lexicon.sides.values())
        )

    def _last_separator(self, start: int, end: int) -> int | None:
        last = None
        for match in self._lexicon.separator.finditer(self._text, start, end):
            last = match.end()
        return last

    def _own_side(self, index: int) -> Side | None:
        hit = self._hits[index]
        clause_start, _ = self._clause(hit.start)
        start, end = self._words_before(index)
        for low, high in ((max(start, clause_start), end), (hit.start, hit.end), self._words_after(index)):
            side = self._side_in(low, high)
            if side:
                return side
        while start < clause_start:
            low, _ = self._clause(clause_start - 1)
            side = self._side_in(max(low, start), clause_start)
            if side:
                return side
            clause_start = low
        return None

    def _side_in(self, start: int, end: int) -> Side | None:
        if start >= end:
            return None
        found: set[Side] = {
            side for side, pattern in self._lexicon.sides.items() if pattern.search(self._text, start, end)
        }
        if not found:
            return None
        if ("left" in found and "right" in found) or ("bilateral" in found and len(found) == 1):
            return "bilateral"
        found.discard("bilateral")
        return found.pop()

    def _severity(self, index: int) -> Severity | None:
        hit = self._hits[index]
        clause_start, _ = self._clause(hit.start)
        start, end = self._words_before(index)
        cut = self._last_separator(max(start, clause_start), end)
        own = max(start, clause_start) if cut is None else cut
        first, last = self._words_after(index)
        separator = self._lexicon.separator.search(self._text, first, last)
        last = separator.start() if separator else last
        for low, high in ((own, hit.end), (first, last), (max(start, clause_start), hit.end)):
            for severity, pattern in self._lexicon.severities:
                if pattern.search(self._text, low, high):
                    return severity
        return None
