"""Polarity in a Chinese sentence.

A cue in front of a finding holds for all findings up to the clause's end or a word that starts a statement of its
own; one behind it holds for the findings that are joined to it; a clause that consists of a cue alone speaks of the
clause before it, and a clause that consists of findings alone goes on with a negated list.
"""

from __future__ import annotations

import re

from llmrg.findings import _cues_zh as cues
from llmrg.findings._phrases_zh import ANGLE
from llmrg.findings._place_zh import degree_in
from llmrg.findings._statement_zh import Cue, Hit, Statement
from llmrg.findings.mention import Polarity

__all__ = ["is_angle", "polarities"]

_LIST_CLAUSES = 12
"""Clauses that one negated list may run through, at most."""
_DEVICE = "support_device"
_NOUN_ENDS = frozenset("影灶区征线管")
_WEAK_HEART = re.compile(r"饱满|丰满|\.\d")
_TREATABLE = frozenset({"pneumothorax", "pleural_effusion", "atelectasis", "nodule"})
_DIAGNOSES = frozenset({"pneumonia", "edema"})
"""Findings that are read from others: doubt about their cause is doubt about them."""
_SHORTEST_CAUSE = 2
"""Characters between a doubt and 所致, at least: 考虑炎症所致的实变, but not 可能导致气胸."""
_BODIES = frozenset({"patchy_opacity", "nodule", "pneumothorax"})
"""Findings that a nipple, a skin fold or clothing may look like."""


def polarities(statement: Statement) -> list[Polarity | None]:
    """Return the polarity of every finding of a sentence; None for a mention that another statement replaces."""
    return _Scope(statement).read()


def is_angle(statement: Statement, hit: Hit) -> bool:
    """Whether a mention of effusion is but that of a costophrenic angle that is not sharp."""
    effusion = hit.observation == "pleural_effusion" and not hit.normal
    return effusion and ANGLE.fullmatch(statement.text, hit.start, hit.end) is not None


class _Scope:
    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._text = statement.text
        self._hits = statement.hits
        self._cues = statement.cues

    def read(self) -> list[Polarity | None]:
        found: list[Polarity | None] = [
            "negative" if hit.normal else self._polarity(index, hit) for index, hit in enumerate(self._hits)
        ]
        self._read_alternatives(found)
        self._read_angles(found)
        self._read_lookalikes(found)
        self._read_weak(found)
        return found

    def _polarity(self, index: int, hit: Hit) -> Polarity:
        start, _ = self._statement.clause(hit.start)
        end = self._statement.clause_end(hit)
        inside = {cue.kind for cue in self._cues if hit.start <= cue.start and cue.end <= hit.end}
        if "neg" in inside or self._denies_change(hit):
            return "negative"
        if "unc" in inside or "borderline" in inside:
            return "uncertain"
        before, after = self._before(hit, start), self._after(index, hit, end)
        if after == "negative" and self._is_left(hit):
            after = "positive"
        if "negative" in (before, after):
            return "negative"
        if "uncertain" in (before, after):
            return "uncertain"
        if before is None and self._goes_on_with_denial(hit, start, end):
            return "negative"
        return self._said_later(hit) or "positive"

    def _denies_change(self, hit: Hit) -> bool:
        """Whether the change that a finding consists of is denied: 纵隔无移位, 纵隔未见移位及增宽."""
        return any(
            cue.kind == "pseudo"
            and hit.start < cue.start
            and cue.end <= hit.end
            and self._text[cue.start] in "无未没"
            and (cue.end == hit.end or self._text[cue.end] in "、及和或与")
            for cue in self._cues
        )

    # -- cues in the same clause -------------------------------------------------------------------------------------

    def _before(self, hit: Hit, start: int) -> Polarity | None:
        """Polarity that the cues in front give, the nearest first; ``positive`` where one says that it is seen."""
        doubt = False
        cause: int | None = None
        for cue in reversed(self._cues):
            if cue.end > hit.start:
                continue
            if cue.start < start:
                break
            if cue.kind in ("stop", "affirm"):
                return "uncertain" if doubt else "positive"
            if cue.kind == "neg" or (cue.kind == "removed" and hit.observation == _DEVICE):
                return "negative"
            if cue.kind == "cause" and hit.observation not in _DIAGNOSES:
                cause = cue.start
            elif cue.kind == "unc" and (cause is None or cause - cue.end < _SHORTEST_CAUSE):
                doubt = True
        return "uncertain" if doubt else None

    def _after(self, index: int, hit: Hit, end: int) -> Polarity | None:
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
                if self._is_inside_finding(cue):
                    continue
                return None if cues.OTHER_SUBJECT.search(between) else "negative"
            elif cue.kind == "unc_after":
                if cues.CAUSE.search(between) or not self._is_joined(index, cue.start):
                    return None
                return "uncertain"
        return self._denied_with_list(hit, end)

    def _is_left(self, hit: Hit) -> bool:
        """Whether something of it is left: 已基本吸收，仅残留少许."""
        clauses = self._statement.silent_clauses(hit)
        return bool(clauses) and cues.REMAINDER.match(self._text[clauses[0][0] : clauses[0][1]]) is not None

    def _is_inside_finding(self, cue: Cue) -> bool:
        return any(hit.start <= cue.start and cue.end <= hit.end for hit in self._hits)

    def _is_joined(self, index: int, cue_start: int) -> bool:
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

    # -- cues of other clauses ---------------------------------------------------------------------------------------

    def _denied_with_list(self, hit: Hit, end: int) -> Polarity | None:
        """A list over several clauses that ends in a denial of all: 气胸，胸腔积液均未见."""
        start = self._statement.clause(hit.start)[0]
        for _ in range(_LIST_CLAUSES):
            if end >= len(self._text) or not self._is_list_item(start, end):
                return None
            start, end = self._statement.clause(end)
            last = next((cue for cue in reversed(self._cues) if start <= cue.start and cue.end <= end), None)
            if last is not None:
                shared = last.kind == "neg_after" and self._text[last.start] in "均都皆俱也亦"
                return "negative" if shared and self._statement.hit_between(start, last.start) else None
        return None

    def _is_list_item(self, start: int, end: int) -> bool:
        blotted = list(self._text[start:end])
        for other in self._hits:
            if start <= other.start < end and not other.normal:
                low, high = other.start - start, min(other.end, end) - start
                blotted[low:high] = "_" * (high - low)
        return cues.LIST_ITEM.match("".join(blotted).rstrip("，。；：！？ ")) is not None

    def _goes_on_with_denial(self, hit: Hit, start: int, end: int) -> bool:
        """Whether the clause is one more item of a negated list: 未见气胸，胸腔积液。."""
        if cues.PREDICATE.search(self._text, hit.start, hit.end) or degree_in(self._text, start, end):
            return False
        for _ in range(_LIST_CLAUSES):
            examples = cues.EXAMPLES.match(self._text[start:end]) is not None
            if start <= 0 or not (examples or self._is_list_item(start, end)):
                return False
            start, end = self._statement.clause(start - 1)
            relevant = [cue for cue in self._cues if start <= cue.start < end and cue.kind != "pseudo"]
            if relevant:
                last = relevant[-1]
                return last.kind == "neg" and (examples or self._statement.hit_between(last.end, end))
        return False

    def _said_later(self, hit: Hit) -> Polarity | None:
        """What a clause without a finding of its own says of the one before: 右侧气胸，较前已吸收."""
        for start, end in self._statement.silent_clauses(hit):
            clause = self._statement.words(start, end)
            if cues.BARE_GONE.match(clause) and not (hit.observation == "rib_fracture" and "骨折线" in self._text):
                return "negative"
            if hit.observation == _DEVICE and cues.BARE_REMOVED.match(clause):
                return "negative"
            if cues.BARE_DOUBT.match(clause):
                return "uncertain"
            if not cues.COMPARISON.match(clause):
                break
        return None

    # -- mentions that bear on one another ---------------------------------------------------------------------------

    def _read_alternatives(self, found: list[Polarity | None]) -> None:
        """``A 或 B`` leaves open which of them it is."""
        for index, (first, second) in enumerate(zip(self._hits, self._hits[1:], strict=False)):
            doubtful = first.observation != second.observation and found[index] == found[index + 1] == "positive"
            if doubtful and cues.OR.match(self._text[first.end : second.start]):
                found[index] = found[index + 1] = "uncertain"

    def _read_angles(self, found: list[Polarity | None]) -> None:
        """A blunted angle says what it is read as, where the sentence goes on to read it."""
        for index, hit in enumerate(self._hits):
            if found[index] != "positive" or not is_angle(self._statement, hit):
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
                    start, end = self._statement.clause(other.start)
                    if cues.READ_AS.search(self._text, max(hit.end, start), end):
                        found[index] = "negative"

    def _read_lookalikes(self, found: list[Polarity | None]) -> None:
        """A shadow that is read as a nipple or a skin fold is no finding; one that may be, an uncertain one."""
        for match in cues.LOOKALIKE.finditer(self._text):
            for index, hit in enumerate(self._hits):
                if hit.observation in _BODIES and hit.end <= match.start() and found[index] == "positive":
                    found[index] = "uncertain" if match["doubt"] or match["doubt_after"] else None

    def _read_weak(self, found: list[Polarity | None]) -> None:
        """A full heart, a mere ratio, or what an operation was for yields to another statement of the same finding."""
        for index, hit in enumerate(self._hits):
            heart = hit.observation == "cardiomegaly" and _WEAK_HEART.search(self._text, hit.start, hit.end)
            treated = hit.observation in _TREATABLE and cues.TREATED.match(self._text, hit.end)
            if (heart or treated) and any(
                other.observation == hit.observation and other is not hit and found[later] is not None
                for later, other in enumerate(self._hits)
            ):
                found[index] = None
