"""Reading one Chinese sentence: which findings it names, with which polarity, side, degree and place.

A sentence is cut into clauses at its commas. A cue in front of a finding holds for all findings up to the clause's
end or a word that starts a statement of its own; one behind it holds for the findings that are joined to it; a
clause that consists of a cue alone speaks of the clause before it, and a clause that consists of findings alone
goes on with a negated list.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from llmrg.findings import _cues_zh as cues
from llmrg.findings._lexicon_zh import CHINESE
from llmrg.findings._phrases_zh import ANGLE
from llmrg.findings._reading import Reading
from llmrg.findings.mention import Polarity, Severity, Side

__all__ = ["fold", "read_chinese_sentence"]

_LIST_CLAUSES = 12
"""Clauses that one negated list may run through, at most."""
_ADJOINING = 3
"""Characters between two findings of one phrase, at most: 结节状密度增高影."""
_DEVICE = "support_device"
_NO_SIDE = frozenset({_DEVICE, "rib_fracture", "cardiomegaly", "enlarged_mediastinum"})
"""Findings whose side says nothing of findings after them."""
_NO_DEGREE = frozenset({"nodule"})
"""Findings whose words of size are no degree."""
_NOUN_ENDS = frozenset("影灶区征线管")
_WEAK_HEART = re.compile(r"饱满|丰满")

_FOLDED = str.maketrans(
    {
        ",": "，",
        ";": "；",
        ":": "：",
        "!": "！",
        "?": "？",
        "(": "（",
        ")": "）",
        "[": "（",
        "]": "）",
        "．": ".",
        "％": "%",
        "－": "-",
        "—": "-",
        "–": "-",
        "−": "-",
        "\n": "，",
        "｡": "。",
        "､": "、",
        "瘀": "淤",
        **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
        **{chr(0xFF21 + letter): chr(0x41 + letter) for letter in range(26)},
        **{chr(0xFF41 + letter): chr(0x61 + letter) for letter in range(26)},
    }
)
_BREAK = re.compile(r"(?<=[\u4e00-\u9fff）])[ \u3000](?=[\u4e00-\u9fff（])")


def fold(text: str) -> str:
    """Bring a text into the form that the patterns expect, character by character (its length stays).

    Punctuation becomes full-width, digits and letters half-width; a space between words becomes a comma, and the
    usual misspellings of 肋膈角, 纵隔 and 膈 are mended.
    """
    text = text.translate(_FOLDED)
    if " " in text:
        text = _BREAK.sub("，", text)
    if "隔" in text:
        text = text.replace("肋隔", "肋膈").replace("横隔", "横膈").replace("隔面", "膈面").replace("隔肌", "膈肌")
    return text.replace("纵膈", "纵隔") if "纵膈" in text else text


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


def read_chinese_sentence(sentence: str, observations: tuple[str, ...]) -> tuple[Reading, ...]:
    """Read a sentence.

    Args:
        sentence: one sentence, as :func:`llmrg.text.sentences.split_sentences` gives it.
        observations: those that are wanted; others still bound the words that belong to each finding.

    Returns:
        The wanted findings in reading order, and ``no_finding`` where the sentence states that nothing is wrong.
    """
    return _Reader(sentence).read(frozenset(observations))


def _blot(match: re.Match[str]) -> str:
    return "_" * len(match.group())


class _Reader:
    def __init__(self, sentence: str) -> None:
        self._shown = sentence
        self._text = fold(sentence)
        self._normal: re.Match[str] | None = None
        self._hits = self._find_hits()

    def read(self, wanted: frozenset[str]) -> tuple[Reading, ...]:
        polarities = self._polarities()
        readings = []
        carried: tuple[Side | None, str | None] = (None, None)
        for index, (hit, polarity) in enumerate(zip(self._hits, polarities, strict=True)):
            if polarity is None:
                continue
            side: Side | None = None
            place: str | None = None
            if not hit.normal:
                side, place = self._own_place(index)
                if side is None and polarity != "negative":
                    side = carried[0]
                    place = place or carried[1]
                elif side is not None and hit.observation not in _NO_SIDE:
                    carried = (side, place)
            if hit.observation in wanted:
                known = polarity != "negative"
                readings.append(
                    Reading(
                        observation=hit.observation,
                        polarity=polarity,
                        side=self._both(index, side) if known else None,
                        severity=self._severity(index) if known else None,
                        proof=self._shown[hit.start : hit.end],
                        normal=hit.normal,
                        location=place,
                        sign=self._is_angle(hit),
                    )
                )
        if self._normal:
            proof = self._shown[self._normal.start() : self._normal.end()]
            readings.append(Reading("no_finding", "positive", None, None, proof, normal=True))
        return tuple(readings)

    # -- findings ----------------------------------------------------------------------------------------------------

    def _find_hits(self) -> list[_Hit]:
        present = set(self._text)
        blotted = self._text
        if not CHINESE.globally_normal.triggers.isdisjoint(present):
            self._normal = CHINESE.globally_normal.pattern.search(blotted)
            blotted = CHINESE.globally_normal.pattern.sub(_blot, blotted) if self._normal else blotted
        if not CHINESE.lookalikes.triggers.isdisjoint(present):
            blotted = CHINESE.lookalikes.pattern.sub(_blot, blotted)
        hits: list[_Hit] = []
        for phrases, normals, text in (
            (CHINESE.phrases, CHINESE.normals, blotted),
            (CHINESE.wider_phrases, CHINESE.wider_normals, self._text),
        ):
            for observation, (triggers, pattern) in phrases.items():
                if not triggers.isdisjoint(present):
                    hits += [_Hit(observation, *match.span(), False) for match in pattern.finditer(text)]
            for observation, (triggers, pattern) in normals.items():
                if not triggers.isdisjoint(present):
                    for match in pattern.finditer(text):
                        hits = _with_normal(hits, observation, *match.span())
        hits.sort(key=lambda hit: (hit.start, hit.end))
        return hits

    # -- clauses and cues --------------------------------------------------------------------------------------------

    @cached_property
    def _cues(self) -> list[_Cue]:
        if cues.CUE_CHARACTERS.isdisjoint(self._text):
            return []
        return [_Cue(m.lastgroup or "", m.start(), m.end()) for m in cues.CUES.finditer(self._text)]

    @cached_property
    def _bounds(self) -> list[int]:
        return [0, *(match.end() for match in cues.CLAUSE_END.finditer(self._text)), len(self._text) + 1]

    def _clause(self, position: int) -> tuple[int, int]:
        index = bisect_right(self._bounds, position)
        return self._bounds[index - 1], min(self._bounds[min(index, len(self._bounds) - 1)], len(self._text))

    def _hit_between(self, start: int, end: int) -> bool:
        return any(start <= other.start < end for other in self._hits)

    # -- polarity ----------------------------------------------------------------------------------------------------

    def _polarities(self) -> list[Polarity | None]:
        """Polarity of every finding; None for a mention that another one of the same thing replaces."""
        found: list[Polarity | None] = [
            "negative" if hit.normal else self._polarity(index, hit) for index, hit in enumerate(self._hits)
        ]
        self._read_alternatives(found)
        self._read_angles(found)
        self._read_full_heart(found)
        return found

    def _polarity(self, index: int, hit: _Hit) -> Polarity:
        start, _ = self._clause(hit.start)
        _, end = self._clause(max(hit.start, hit.end - 1))
        inside = {cue.kind for cue in self._cues if hit.start <= cue.start and cue.end <= hit.end}
        if "neg" in inside:
            return "negative"
        if "unc" in inside or "borderline" in inside:
            return "uncertain"
        before, after = self._before(hit, start), self._after(index, hit, end)
        if "negative" in (before, after):
            return "negative"
        if "uncertain" in (before, after):
            return "uncertain"
        if before is None and self._carried_negation(hit, start, end):
            return "negative"
        return self._said_later(hit, end) or "positive"

    def _before(self, hit: _Hit, start: int) -> Polarity | None:
        """Polarity that the cues in front give, the nearest first; ``positive`` where one says that it is seen."""
        doubt = False
        for cue in reversed(self._cues):
            if cue.end > hit.start:
                continue
            if cue.start < start:
                break
            if cue.kind == "stop":
                return "uncertain" if doubt else "positive"
            if cue.kind == "affirm":
                return "uncertain" if doubt else "positive"
            if cue.kind == "neg":
                return "negative"
            if cue.kind == "removed" and hit.observation == _DEVICE:
                return "negative"
            doubt = doubt or cue.kind == "unc"
        return "uncertain" if doubt else None

    def _after(self, index: int, hit: _Hit, end: int) -> Polarity | None:
        for cue in self._cues:
            if cue.start < hit.end:
                continue
            if cue.start >= end or cue.kind in ("stop", "neg", "unc", "affirm"):
                break
            between = self._text[hit.end : cue.start]
            if cue.kind == "removed":
                if hit.observation == _DEVICE:
                    return "negative"
            elif cue.kind == "neg_after":
                if self._inside_finding(cue):
                    continue
                return None if cues.OTHER_SUBJECT.search(between) else "negative"
            elif cue.kind == "unc_after":
                if cues.CAUSE.search(between) or not self._joined(index, cue.start):
                    return None
                return "uncertain"
        return self._shared_denial(hit, end)

    def _inside_finding(self, cue: _Cue) -> bool:
        return any(hit.start <= cue.start and cue.end <= hit.end for hit in self._hits)

    def _joined(self, index: int, cue_start: int) -> bool:
        """Whether all findings between one and a cue are items of one list with it."""
        last = self._hits[index]
        for other in self._hits[index + 1 :]:
            if other.start >= cue_start:
                break
            if other.start >= last.end:
                between = self._text[last.end : other.start]
                adjective = other.observation != last.observation and self._text[last.end - 1] not in _NOUN_ENDS
                if not cues.JOINED.match(between) and not (len(between) <= 1 and adjective):
                    return False
                last = other
        return True

    def _shared_denial(self, hit: _Hit, end: int) -> Polarity | None:
        """A list over several clauses that ends in a denial of all: 气胸，胸腔积液均未见."""
        start = self._clause(hit.start)[0]
        for _ in range(_LIST_CLAUSES):
            if end >= len(self._text) or not self._is_list_item(start, end):
                return None
            start, end = self._clause(end)
            last = next((cue for cue in reversed(self._cues) if start <= cue.start and cue.end <= end), None)
            if last is not None:
                shared = last.kind == "neg_after" and self._text[last.start] in "均都皆俱也亦"
                return "negative" if shared and self._hit_between(start, last.start) else None
        return None

    def _is_list_item(self, start: int, end: int) -> bool:
        blotted = list(self._text[start:end])
        for other in self._hits:
            if start <= other.start < end and not other.normal:
                low, high = other.start - start, min(other.end, end) - start
                blotted[low:high] = "_" * (high - low)
        return cues.LIST_ITEM.match("".join(blotted).rstrip("，；。：！？ ")) is not None

    def _carried_negation(self, hit: _Hit, start: int, end: int) -> bool:
        """Whether the clause is one more item of a negated list: 未见气胸，胸腔积液。."""
        if cues.PREDICATE.search(self._text, hit.start, hit.end) or self._degree_in(start, end):
            return False
        for _ in range(_LIST_CLAUSES):
            examples = cues.EXAMPLES.match(self._text[start:end]) is not None
            if start <= 0 or not (examples or self._is_list_item(start, end)):
                return False
            start, end = self._clause(start - 1)
            relevant = [cue for cue in self._cues if start <= cue.start < end and cue.kind != "pseudo"]
            if relevant:
                last = relevant[-1]
                return last.kind == "neg" and (examples or self._hit_between(last.end, end))
        return False

    def _said_later(self, hit: _Hit, end: int) -> Polarity | None:
        """What a clause without a finding of its own says of the one before: 右侧气胸，较前已吸收."""
        while end < len(self._text):
            start, end = self._clause(end)
            clause = self._text[start:end].rstrip("，。；：！？ ")
            if self._hit_between(start, end):
                return None
            if cues.BARE_GONE.match(clause) and not (hit.observation == "rib_fracture" and "骨折线" in self._text):
                return "negative"
            if hit.observation == _DEVICE and cues.BARE_REMOVED.match(clause):
                return "negative"
            if cues.BARE_DOUBT.match(clause):
                return "uncertain"
            if not cues.COMPARISON.match(clause):
                return None
        return None

    def _read_alternatives(self, found: list[Polarity | None]) -> None:
        """``A 或 B`` leaves open which of them it is."""
        for index, (first, second) in enumerate(zip(self._hits, self._hits[1:], strict=False)):
            open_to_doubt = first.observation != second.observation and found[index] == found[index + 1] == "positive"
            if open_to_doubt and cues.OR.match(self._text[first.end : second.start]):
                found[index] = found[index + 1] = "uncertain"

    def _read_angles(self, found: list[Polarity | None]) -> None:
        """A blunted angle says what it is read as, where the sentence goes on to read it."""
        for index, hit in enumerate(self._hits):
            if found[index] != "positive" or not self._is_angle(hit):
                continue
            for later in range(index + 1, len(self._hits)):
                other = self._hits[later]
                if other.observation == "pleural_effusion" and not other.normal:
                    if found[later] == "uncertain":
                        found[index] = None
                    elif found[later] == "negative" and cues.READ_AS.search(self._text, hit.end, other.start):
                        found[index] = "negative"
                    break
                if other.observation == "pleural_thickening" and found[later] in ("positive", "uncertain"):
                    clause_start, clause_end = self._clause(other.start)
                    if cues.READ_AS.search(self._text, max(hit.end, clause_start), clause_end):
                        found[index] = "negative"

    def _is_angle(self, hit: _Hit) -> bool:
        return (
            hit.observation == "pleural_effusion"
            and not hit.normal
            and ANGLE.fullmatch(self._text, hit.start, hit.end) is not None
        )

    def _read_full_heart(self, found: list[Polarity | None]) -> None:
        """A full heart (心影饱满) is enlarged unless the sentence says how large it is."""
        hearts = [index for index, hit in enumerate(self._hits) if hit.observation == "cardiomegaly"]
        full = [i for i in hearts if _WEAK_HEART.search(self._text, self._hits[i].start, self._hits[i].end)]
        if len(full) < len(hearts):
            for index in full:
                found[index] = None

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
        for other in self._hits[index + 1 :]:
            near = other.start - start <= _ADJOINING and not self._sides_in(start, other.start)
            if other.start < start or near:  # an adjective and its noun share what follows
                start = max(start, other.end)
            elif other.start < end:
                cut = self._last_separator(start, other.start)
                return start, cut if cut is not None else other.start
            else:
                break
        return start, max(start, end)

    def _last_separator(self, start: int, end: int) -> int | None:
        last = None
        for match in cues.SEPARATOR.finditer(self._text, start, end):
            last = match.end()
        return last

    def _own_place(self, index: int) -> tuple[Side | None, str | None]:
        """Side and place that belong to one finding."""
        hit = self._hits[index]
        clause_start, _ = self._clause(hit.start)
        start, end = self._words_before(index)
        windows = [(max(start, clause_start), end), (hit.start, hit.end), self._words_after(index)]
        while start < clause_start:
            low, _ = self._clause(clause_start - 1)
            windows.append((max(low, start), clause_start))
            clause_start = low
        side: Side | None = None
        place: str | None = None
        for low, high in windows:
            if low >= high:
                continue
            side = side or self._side_in(low, high)
            place = place or self._place_in(low, high)
            if side:
                break
        return side, place

    @cached_property
    def _side_words(self) -> list[tuple[int, int, Side]]:
        found = [
            (match.start(), match.end(), cues.SIDE_OF[match.lastgroup or ""])
            for match in cues.SIDES.finditer(self._text)
        ]
        if len(found) > 1:
            compared = [match.span() for match in cues.COMPARATIVE.finditer(self._text)]
            kept = [word for word in found if not any(low <= word[0] and word[1] <= high for low, high in compared)]
            found = kept or found
        return found

    def _sides_in(self, start: int, end: int) -> set[Side]:
        return {side for low, high, side in self._side_words if start <= low and high <= end}

    def _side_in(self, start: int, end: int) -> Side | None:
        found = self._sides_in(start, end)
        if not found:
            return None
        return found.pop() if len(found) == 1 else "bilateral"

    def _both(self, index: int, side: Side | None) -> Side | None:
        """Bilateral where a following clause adds the other side: 左侧胸腔少量积液，右侧大量."""
        if side in ("left", "right"):
            _, end = self._clause(max(self._hits[index].start, self._hits[index].end - 1))
            start, following = self._clause(end) if end < len(self._text) else (end, end)
            match = cues.BARE_SIDE.match(self._text[start:following].rstrip("，。；：！？ "))
            if match and cues.SIDES.match(match["side"]) and match["side"] != ("左" if side == "left" else "右"):
                return "bilateral"
        return side

    def _place_in(self, start: int, end: int) -> str | None:
        last = None
        for match in cues.PLACE.finditer(self._text, start, end):
            if match.end() - match.start() > 1:
                last = match
        return self._shown[last.start() : last.end()] if last else None

    def _severity(self, index: int) -> Severity | None:
        hit = self._hits[index]
        if hit.observation in _NO_DEGREE:
            return None
        clause_start, _ = self._clause(hit.start)
        start, end = self._words_before(index)
        cut = self._last_separator(max(start, clause_start), end)
        own = max(start, clause_start) if cut is None else cut
        first, last = self._words_after(index)
        separator = cues.SEPARATOR.search(self._text, first, last)
        last = separator.start() if separator else last
        for low, high in ((hit.start, hit.end), (own, hit.start), (first, last), (max(start, clause_start), hit.start)):
            degree = self._degree_in(low, high, after=low >= hit.end)
            if degree:
                return degree
        _, clause_end = self._clause(max(hit.start, hit.end - 1))
        while clause_end < len(self._text) and not self._hit_between(clause_end, self._clause(clause_end)[1]):
            following, clause_end = self._clause(clause_end)
            if cues.BARE_QUANTITY.match(self._text[following:clause_end].rstrip("，。；：！？ ")):
                return self._degree_in(following, clause_end, bare=True)
        return None

    def _degree_in(self, start: int, end: int, *, after: bool = False, bare: bool = False) -> Severity | None:
        if start >= end:
            return None
        changes = [match.span() for match in cues.CHANGE_DEGREE.finditer(self._text, start, end)]
        if after:
            changes += [match.span() for match in cues.CHANGE_AFTER.finditer(self._text, start, end)]
        for severity, pattern in cues.BARE_DEGREES if bare else cues.DEGREES:
            for match in pattern.finditer(self._text, start, end):
                if not any(low <= match.start() < high for low, high in changes):
                    return severity
        return None


def _with_normal(hits: list[_Hit], observation: str, start: int, end: int) -> list[_Hit]:
    """Add a normal statement, which replaces what it holds of its finding and yields to what holds it."""
    if any(hit.observation == observation and hit.start < start and hit.end > end for hit in hits):
        return hits
    kept = [hit for hit in hits if hit.observation != observation or hit.end <= start or hit.start >= end]
    return [*kept, _Hit(observation, start, end, True)]
