"""Reading one English sentence: which findings it names, with which polarity, side, degree and place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from llmrg.findings._lexicon_en import BLANKS, GLOBALLY_NORMAL, NORMALS, PHRASES
from llmrg.findings._lexicon_en_cues import CUES, CueKind
from llmrg.findings._lexicon_en_wider import WIDER_NORMALS, WIDER_PHRASES
from llmrg.findings._lexicon_en_words import (
    ADDS,
    LEVEL,
    OTHER_CAUSE,
    PLACE,
    SEPARATOR,
    SEVERITIES,
    SIDES,
    STARTS,
    STATES,
)
from llmrg.findings._reading import Reading
from llmrg.findings.mention import Polarity, Severity, Side

__all__ = ["read_english_sentence"]

_WORD = re.compile(r"[a-z0-9_]+(?:['’][a-z]+)?|[^\sa-z0-9_]")
_WORDS_KEPT = 1 << 15
_ADJOINING = 12
"""Letters between two findings of one phrase, at most: nodular-like opacity."""
_NO_SIDE = frozenset(
    {
        *(
            "support_device",
            "rib_fracture",
            "cardiomegaly",
            "enlarged_mediastinum",
            "mediastinal_shift",
            "aortic_change",
        ),
        *("scoliosis", "degenerative_spine", "postoperative", "foreign_body", "free_air", "hernia"),
    }
)
"""Observations whose side says nothing of findings after them."""
_SIGN = "blunting"
_SIGN_OF = "pleural_effusion"
_CONNECT = re.compile(r"\b(?:and|or|nor|with|of|representing|reflecting|consistent with|compatible with)\b|/|&")
_VERB = re.compile(r"\b(?:is|are|was|were|has|have|may|might|could|remains?|appears?|there)\b")
_FILLER = re.compile(
    r"(?:[\s,]|\b(?:a|an|any|the|acute|focal|large|new|evidence|of|for|definite|significant|obvious|gross|overt"
    r"|discrete"
    r"|radiographic|visible|convincing|right|left|signs?|features?|to|suggest\w*|be|there|is|are|confluent|further"
    r"|other"
    r"|additional|residual|recurrent|developing|likely|represent|reflect|due|be|which|that|in|part|an|early)\b)+"
)
_AGED = re.compile(
    r"(?:be )?(?:an? |the )?(?:old|chronic\w*|healed|remote|subacute|post-?(?:surgical|operative|traumatic)\w*|benign"
    r"|calcified|longstanding|long-standing|physiologic|positional|artifact\w*|reactive|degenerative|congenital)\b"
)
_DEGREE_AHEAD = re.compile(
    r"(?::|[^,;.:]{0,40},)\s*(?:now |currently |overall |probably |which is |still )?"
    r"(?=small|moderate|large|mild|trace|tiny|minimal|severe|massive|extensive|marked)"
)
_JOINED = re.compile(r",?(?: and/or| and| or| with|/|,) ?(?:(?!right|left|bilat)[\w-]+ ){0,2}$")
_OR = re.compile(r"(?: \w+){0,2},? (?:and/)?or (?:(?!no\b|not\b|without\b)[\w-]+ ){0,3}$")
_DENIED_SIZE = re.compile(r"(?:large|sizable|sizeable|significant|gross|layering|massive|big|new)\W+(?:\w+\W+){0,3}$")


@dataclass(slots=True)
class _Hit:
    observation: str
    start: int
    end: int
    normal: bool


@dataclass(slots=True)
class _Cue:
    kind: CueKind
    start: int
    end: int


def _patterns() -> tuple[tuple[str, bool, re.Pattern[str]], ...]:
    tables: tuple[tuple[bool, Mapping[str, tuple[str, str]]], ...] = (
        (False, PHRASES | WIDER_PHRASES),
        (True, NORMALS | WIDER_NORMALS),
    )
    return tuple(
        (observation, normal, re.compile(pattern))
        for normal, table in tables
        for observation, (_, pattern) in table.items()
    )


def _beginnings() -> tuple[tuple[str, ...], ...]:
    entries = [*(PHRASES | WIDER_PHRASES).values(), *(NORMALS | WIDER_NORMALS).values(), BLANKS, GLOBALLY_NORMAL]
    return tuple(tuple(words.split()) for words, _ in entries)


_PATTERNS = _patterns()
_BEGINNINGS = _beginnings()
_BLANKS = re.compile(BLANKS[1])
_GLOBALLY_NORMAL = re.compile(GLOBALLY_NORMAL[1])
_BLANKS_BIT = 1 << len(_PATTERNS)
_NORMAL_BIT = _BLANKS_BIT << 1


@lru_cache(maxsize=_WORDS_KEPT)
def _word_bits(word: str) -> int:
    """Which patterns a word can be part of, one bit each: most words of a report are part of none."""
    return sum(1 << place for place, beginnings in enumerate(_BEGINNINGS) if word.startswith(beginnings))


def _blot(match: re.Match[str]) -> str:
    text = match.group()
    part = match.group("part")  # only a part of the words that decide
    return "_" * len(text) if part is None else text[: -len(part)] + "_" * len(part)


def read_english_sentence(sentence: str, observations: Collection[str]) -> tuple[Reading, ...]:
    """Read a sentence.

    Args:
        sentence: one sentence, as :func:`llmrg.text.sentences.split_sentences` gives it.
        observations: those that are wanted; others still bound the words that belong to each finding.

    Returns:
        The wanted findings in reading order; ``no_finding`` where the sentence says that nothing at all is wrong.
    """
    text = sentence.lower()
    shown = sentence if len(text) == len(sentence) else text  # a few letters change length when lowered
    bits = 0
    words = [(match.group(), match.start()) for match in _WORD.finditer(text)]
    for word, _ in words:
        bits |= _word_bits(word)
    if bits & _BLANKS_BIT:
        text = _BLANKS.sub(_blot, text)
    hits = _find_hits(text, bits)
    readings: list[Reading] = []
    if hits:
        readings += _Sentence(text, shown, hits, _find_cues(text, words)).read(observations)
    if bits & _NORMAL_BIT and _GLOBALLY_NORMAL.search(text):
        readings.append(Reading("no_finding", "positive", None, None, shown, True))
    return tuple(readings)


def _find_hits(text: str, bits: int) -> list[_Hit]:
    hits: list[_Hit] = []
    for place, (observation, normal, pattern) in enumerate(_PATTERNS):
        if not bits >> place & 1:
            continue
        for match in pattern.finditer(text):
            start, end = match.span()
            if normal:
                if any(h.observation == observation and h.start < start and h.end > end for h in hits):
                    continue
                hits = [h for h in hits if h.observation != observation or h.end <= start or h.start >= end]
            hits.append(_Hit(observation, start, end, normal))
    hits.sort(key=lambda hit: (hit.start, hit.end))
    return hits


def _find_cues(text: str, words: list[tuple[str, int]]) -> list[_Cue]:
    cues: list[_Cue] = []
    reached = 0
    for word, start in words:
        if start < reached or word not in CUES:
            continue
        for kind, pattern in CUES[word]:
            match = pattern.match(text, start)
            if match:
                reached = max(match.end(), start + 1)
                cues.append(_Cue(kind, start, match.end()))
                break
    return cues


class _Sentence:
    """One sentence with its findings and cues."""

    def __init__(self, text: str, shown: str, hits: list[_Hit], cues: list[_Cue]) -> None:
        self._text = text
        self._shown = shown
        self._hits = hits
        self._cues = [self._settle(cue) for cue in cues]
        self._bounds = [0, *self._clause_ends(), len(text) + 1]

    def _settle(self, cue: _Cue) -> _Cue:
        """Decide whether a cue that can reach either way reaches forward."""
        if cue.kind == "unc_both":
            following = next((hit.start for hit in self._hits if hit.start >= cue.end), None)
            end = self._text.find(",", cue.end)
            ahead = following is not None and (end < 0 or following < end)
            return _Cue("unc" if ahead else "unc_after", cue.start, cue.end)
        return cue

    def _clause_ends(self) -> list[int]:
        inside = [(cue.start, cue.end) for cue in self._cues if cue.kind == "neg_after"]
        return [
            match.end()
            for match in re.finditer(r";|\. ", self._text)
            if not any(start <= match.start() < end for start, end in inside)
        ]

    def _clause(self, position: int) -> tuple[int, int]:
        index = bisect_right(self._bounds, position)
        return self._bounds[index - 1], self._bounds[min(index, len(self._bounds) - 1)]

    def read(self, wanted: Collection[str]) -> list[Reading]:
        readings = []
        carried: Side | None = None
        for index, hit in enumerate(self._hits):
            name = _SIGN_OF if hit.observation == _SIGN else hit.observation
            polarity: Polarity = "negative" if hit.normal else self._polarity(hit)
            stated = polarity != "negative" or hit.observation == _SIGN
            side = self._own_side(index) or self._shared_side(index) if stated and not hit.normal else None
            if side is None and polarity != "negative":
                side = carried
            elif side is not None and hit.observation not in _NO_SIDE:
                carried = side
            if name in wanted:
                readings.append(
                    Reading(
                        name,
                        polarity,
                        None if polarity == "negative" else side,
                        None if polarity == "negative" else self._severity(index),
                        self._shown[hit.start : hit.end],
                        hit.normal,
                        None if hit.normal else self._location(index),
                        sign=hit.observation == _SIGN,
                        whole=hit.normal or not _DENIED_SIZE.search(self._text[: hit.start]),
                    )
                )
        return readings

    # -- polarity ----------------------------------------------------------------------------------------------------

    def _polarity(self, hit: _Hit) -> Polarity:
        start, _ = self._clause(hit.start)
        _, end = self._clause(max(hit.start, hit.end - 1))
        inside = [cue.kind for cue in self._cues if hit.start <= cue.start and cue.end <= hit.end]
        if "neg" in inside or "neg_after" in inside:
            return "negative"
        if "unc" in inside:
            return "uncertain"
        before = self._before(hit, start)
        if before == "negative":
            return "negative"
        after = self._after(hit, end)
        if after == "negative":
            return "negative"
        if "uncertain" in (after, before) or self._alternative(hit):
            return "uncertain"
        return self._reading_of_sign(hit, end) if hit.observation == _SIGN else "positive"

    def _before(self, hit: _Hit, start: int) -> Polarity | None:
        """Polarity that the cues in front give, the nearest first."""
        doubt: _Cue | None = None
        for cue in reversed(self._cues):
            if cue.end > hit.start:
                continue
            if cue.start < start or cue.kind in ("stop", "aside"):
                break
            if cue.kind == "neg":
                if self._own_statement(cue, hit):
                    break
                if hit.observation == "support_device" and self._reaches_past(cue, hit):
                    break
                return "negative" if doubt is None or self._denies_doubt(cue, doubt) else "uncertain"
            if cue.kind in ("unc", "evoke"):
                if not self._own_statement(cue, hit) and not self._on_age(cue, hit):
                    doubt = doubt or cue
            elif cue.kind == "either" and not self._hit_between(cue.end, hit.start):
                doubt = doubt or cue
        return "uncertain" if doubt else None

    def _alternative(self, hit: _Hit) -> bool:
        """Whether the finding is one of two that are not told apart: atelectasis or pneumonia."""
        if hit.observation in _NO_SIDE or any(cue.kind == "pseudo" and cue.end <= hit.start for cue in self._cues):
            return False
        for other in self._hits:
            first, second = (hit, other) if hit.start < other.start else (other, hit)
            if other.observation not in (hit.observation, *_NO_SIDE) and not other.normal and first.end <= second.start:
                if _OR.match(self._text[first.end : second.start]):
                    return True
        return False

    def _on_age(self, doubt: _Cue, hit: _Hit) -> bool:
        """Whether a doubt is about the age or type of what is seen: probably old rib fractures."""
        word = self._text[doubt.start : doubt.end]
        return word in ("likely", "probably", "possibly", "presumably") and bool(
            _AGED.match(self._text[doubt.end : hit.start].lstrip())
        )

    def _denies_doubt(self, negation: _Cue, doubt: _Cue) -> bool:
        """Whether a negation reaches through a doubt: no suspicious nodule, nothing to suggest pneumonia."""
        if doubt.kind == "evoke":
            return True
        between = self._text[negation.end : doubt.start]
        return "," not in between and not self._hit_between(negation.end, doubt.start)

    def _hit_between(self, start: int, end: int) -> bool:
        return any(start <= other.start < end for other in self._hits)

    def _reaches_past(self, cue: _Cue, hit: _Hit) -> bool:
        """Whether something else than the device stands next to the negation: no pneumothorax with a tube in place."""
        return re.search(
            r"\b(?:with|after|from|by|of the|in|due|obscured|projecting)\b", self._text[cue.end : hit.start]
        ) is not None and self._hit_between(cue.end, hit.start)

    def _after(self, hit: _Hit, end: int) -> Polarity | None:
        for cue in self._cues:
            if cue.start < hit.end:
                continue
            if cue.start >= end:
                break
            if cue.kind == "stop":
                if self._text[cue.start : cue.end].endswith("which"):
                    continue
                break
            if cue.kind == "either":
                return None if self._hit_between(hit.end, cue.start) else "uncertain"
            if cue.kind in ("neg_after", "unc_after"):
                if not self._subject(hit, cue):
                    return None
                return "negative" if cue.kind == "neg_after" else "uncertain"
            if cue.kind != "aside" and (
                cue.kind != "pseudo" or self._text[cue.start : cue.end].startswith(("is", "are", "has", "have", "was"))
            ):
                break
        return None

    def _subject(self, hit: _Hit, cue: _Cue) -> bool:
        """Whether a finding is (part of) what a verb after it speaks of."""
        between = self._text[hit.end : cue.start]
        if not self._hit_between(hit.end, cue.start):
            return not re.search(r"\b(?:is|are|was|were|reflects?|represents?)\b(?!\s*$)", between)
        return bool(_CONNECT.search(between)) and not _VERB.search(between)

    def _own_statement(self, cue: _Cue, hit: _Hit) -> bool:
        """Whether the finding starts a statement of its own in the list that a cue began."""
        between = self._text[cue.end : hit.start]
        if self._text.startswith("differential", cue.start):
            return False
        starts = list(STARTS.finditer(between))
        for start in reversed(starts):
            head, tail = between[: start.start()], between[start.start() + 1 :] + self._text[hit.end :]
            if not _FILLER.sub("", head) or re.match(r"r\s", tail):
                continue
            if not ADDS.search(re.split(r"[;.]", tail)[0]):
                return True
        comma = max(between.rfind(","), between.rfind(" and "))
        if comma < 0 or not _FILLER.sub("", between[:comma]):
            return False
        tail = between[comma:]
        if ADDS.search(tail):
            return False
        return bool(STATES.match(self._text, hit.end)) or hit.normal

    def _reading_of_sign(self, hit: _Hit, end: int) -> Polarity:
        """What a blunted angle is read as: an effusion, perhaps one, or something else."""
        rest = self._text[hit.end : end]
        effusion = next(
            (o for o in self._hits if o.observation == _SIGN_OF and o.start >= hit.end and o.start < end), None
        )
        other = OTHER_CAUSE.search(rest)
        if effusion is not None:
            doubts = [c for c in self._cues if hit.end <= c.start < effusion.start]
            if any(c.kind == "stop" and not self._text[c.start : c.end].endswith(("which", "this")) for c in doubts):
                return "positive"
            if any(cue.kind == "neg" for cue in doubts):
                return "negative" if other or any(c.kind == "neg" for c in doubts) else "positive"
            if any(cue.kind in ("unc", "evoke", "either", "unc_both") for cue in doubts):
                return "uncertain"
            return "positive"
        reads = re.search(
            r"\b(?:due to|secondary|from|represent\w*|reflect\w*|consistent with|compatible with|related|suggest\w*"
            r"|likely|probably|because|caused by|in keeping|attributed|xxxx)\b|, ",
            rest,
        )
        if (
            other
            and reads
            and reads.start() < other.start()
            and not re.search(r"[,;] (?:and (?!xxxx)|with|no\b)", rest[: other.start()])
        ):
            return "negative"
        return "positive"

    # -- side, degree and place --------------------------------------------------------------------------------------

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
            and not SEPARATOR.search(between)
            and not any(pattern.search(between) for _, pattern in SIDES)
        )

    def _last_separator(self, start: int, end: int) -> int | None:
        last = None
        for match in SEPARATOR.finditer(self._text, start, end):
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

    def _shared_side(self, index: int) -> Side | None:
        """Side that the next finding has from the words after both: atelectasis and effusion on the left."""
        if index + 1 == len(self._hits):
            return None
        hit, following = self._hits[index], self._hits[index + 1]
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

    def _severity(self, index: int) -> Severity | None:
        hit = self._hits[index]
        clause_start, _ = self._clause(hit.start)
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

    def _location(self, index: int) -> str | None:
        hit = self._hits[index]
        clause_start, _ = self._clause(hit.start)
        start, end = self._words_before(index)
        for low, high in (self._words_after(index), (max(start, clause_start), end), (hit.start, hit.end)):
            match = PLACE.search(self._text, low, high) if low < high else None
            if match:
                return self._shown[match.start() : match.end()].strip()
        return None
