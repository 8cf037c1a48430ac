"""Whether an English sentence states, denies or doubts a finding."""

from __future__ import annotations

import re

from llmrg.findings._lexicon_en_words import ADDS, NO_SIDE, OTHER_CAUSE, STARTS, STATES
from llmrg.findings._sentence_en import SIGN, SIGN_OF, Cue, Hit, Sentence
from llmrg.findings.mention import Polarity

__all__ = ["Scope"]

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
_END = re.compile(r"[;.]")
_OR = re.compile(r"(?: \w+){0,2},? (?:and/)?or (?:(?!no\b|not\b|without\b)[\w-]+ ){0,3}$")
_PAST = re.compile(r"\b(?:with|after|from|by|of the|in|due|obscured|projecting)\b")
_SAYS_ELSE = re.compile(
    r"\b(?:is|are|was|were|reflects?|represents?)\b"
    r"(?!(?:[\s,]*\b(?:therefore|then|thus|hence|consequently|accordingly|thereby|so|also|still|again|now|very|too"
    r"|quite|rather|somewhat|more|\w+ly))*[\s,]*$)"
)
_CAUSES = re.compile(
    r"\b(?:caus(?:ing|es|ed)|result(?:ing|s|ed) in|producing|produces|leading to|leads to|responsible for"
    r"|account(?:ing|s) for|giving rise to|explaining)\b"
)
_SOMETHING = re.compile(r"\b(?!(?:be|is|are|also|have|has|been|now|to|the|an?|of|in|part|\w+ly)\b)\w{2,}")
"""A word that can name a cause."""
_DIAGNOSES = frozenset({"pneumonia", "edema"})
"""Findings that are read from others: doubt about their cause is doubt about them."""
_READS = re.compile(
    r"\b(?:due to|secondary|from|represent\w*|reflect\w*|consistent with|compatible with|related|suggest\w*|likely"
    r"|probably|because|caused by|in keeping|attributed|xxxx)\b|, "
)
_ANOTHER = re.compile(r"[,;] (?:and (?!xxxx)|with|no\b)")


class Scope:
    """How far the cues of a sentence reach.

    Args:
        sentence: with its findings and cues.
    """

    def __init__(self, sentence: Sentence) -> None:
        self._sentence = sentence
        self._text = sentence.text

    def polarity(self, hit: Hit) -> Polarity:
        """Whether a finding is stated, denied or doubted."""
        start, _ = self._sentence.clause(hit.start)
        _, end = self._sentence.clause(max(hit.start, hit.end - 1))
        inside = [cue.kind for cue in self._sentence.cues if hit.start <= cue.start and cue.end <= hit.end]
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
        return self._reading_of_sign(hit, end) if hit.observation == SIGN else "positive"

    def _before(self, hit: Hit, start: int) -> Polarity | None:
        """Polarity that the cues in front give, the nearest first."""
        doubt: Cue | None = None
        for cue in reversed(self._sentence.cues):
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
                if not (self._own_statement(cue, hit) or self._on_age(cue, hit) or self._on_cause(cue, hit)):
                    doubt = doubt or cue
            elif cue.kind == "either" and not self._sentence.hit_between(cue.end, hit.start):
                doubt = doubt or cue
        return "uncertain" if doubt else None

    def _alternative(self, hit: Hit) -> bool:
        """Whether the finding is one of two that are not told apart: atelectasis or pneumonia."""
        if hit.observation in NO_SIDE or any(
            cue.kind == "pseudo" and cue.end <= hit.start for cue in self._sentence.cues
        ):
            return False
        for other in self._sentence.hits:
            if other.normal or other.observation in (hit.observation, *NO_SIDE):
                continue
            first, second = (hit, other) if hit.start < other.start else (other, hit)
            if first.end <= second.start and _OR.match(self._text[first.end : second.start]):
                return True
        return False

    def _on_age(self, doubt: Cue, hit: Hit) -> bool:
        """Whether a doubt is about the age or type of what is seen: probably old rib fractures."""
        word = self._text[doubt.start : doubt.end]
        return word in ("likely", "probably", "possibly", "presumably") and bool(
            _AGED.match(self._text[doubt.end : hit.start].lstrip())
        )

    def _on_cause(self, doubt: Cue, hit: Hit) -> bool:
        """Whether the doubt is about what caused the finding: possible infection causing consolidation."""
        if hit.observation in _DIAGNOSES:
            return False
        causes = _CAUSES.search(self._text, doubt.end, hit.start)
        return causes is not None and _SOMETHING.search(self._text, doubt.end, causes.start()) is not None

    def _denies_doubt(self, negation: Cue, doubt: Cue) -> bool:
        """Whether a negation reaches through a doubt: no suspicious nodule, nothing to suggest pneumonia."""
        if doubt.kind == "evoke":
            return True
        between = self._text[negation.end : doubt.start]
        return "," not in between and not self._sentence.hit_between(negation.end, doubt.start)

    def _reaches_past(self, cue: Cue, hit: Hit) -> bool:
        """Whether something else than the device stands next to the negation: no pneumothorax with a tube in place."""
        return _PAST.search(self._text[cue.end : hit.start]) is not None and self._sentence.hit_between(
            cue.end, hit.start
        )

    def _after(self, hit: Hit, end: int) -> Polarity | None:
        for cue in self._sentence.cues:
            if cue.start < hit.end:
                continue
            if cue.start >= end:
                break
            if cue.kind == "stop":
                if self._text[cue.start : cue.end].endswith("which"):
                    continue
                break
            if cue.kind == "either":
                return None if self._sentence.hit_between(hit.end, cue.start) else "uncertain"
            if cue.kind in ("neg_after", "unc_after"):
                if not self._subject(hit, cue):
                    return None
                return "negative" if cue.kind == "neg_after" else "uncertain"
            if cue.kind != "aside" and (
                cue.kind != "pseudo" or self._text[cue.start : cue.end].startswith(("is", "are", "has", "have", "was"))
            ):
                break
        return None

    def _subject(self, hit: Hit, cue: Cue) -> bool:
        """Whether a finding is (part of) what a verb after it speaks of."""
        between = self._text[hit.end : cue.start]
        if not self._sentence.hit_between(hit.end, cue.start):
            return not _SAYS_ELSE.search(between)
        return bool(_CONNECT.search(between)) and not _VERB.search(between)

    def _own_statement(self, cue: Cue, hit: Hit) -> bool:
        """Whether the finding starts a statement of its own in the list that a cue began."""
        between = self._text[cue.end : hit.start]
        if self._text.startswith("differential", cue.start):
            return False
        starts = list(STARTS.finditer(between))
        for start in reversed(starts):
            head, tail = between[: start.start()], between[start.start() + 1 :] + self._text[hit.end :]
            if not _FILLER.sub("", head) or tail.startswith("r "):
                continue
            if not ADDS.search(_END.split(tail, maxsplit=1)[0]):
                return True
        comma = max(between.rfind(","), between.rfind(" and "))
        if comma < 0 or not _FILLER.sub("", between[:comma]):
            return False
        tail = between[comma:]
        if ADDS.search(tail):
            return False
        return bool(STATES.match(self._text, hit.end)) or hit.normal

    def _reading_of_sign(self, hit: Hit, end: int) -> Polarity:
        """What a blunted angle is read as: an effusion, perhaps one, or something else."""
        rest = self._text[hit.end : end]
        effusion = next(
            (o for o in self._sentence.hits if o.observation == SIGN_OF and o.start >= hit.end and o.start < end), None
        )
        other = OTHER_CAUSE.search(rest)
        if effusion is not None:
            doubts = [c for c in self._sentence.cues if hit.end <= c.start < effusion.start]
            if any(c.kind == "stop" and not self._text[c.start : c.end].endswith(("which", "this")) for c in doubts):
                return "positive"
            if any(cue.kind == "neg" for cue in doubts):
                return "negative" if other or any(c.kind == "neg" for c in doubts) else "positive"
            if any(cue.kind in ("unc", "evoke", "either", "unc_both") for cue in doubts):
                return "uncertain"
            return "positive"
        reads = _READS.search(rest)
        if other and reads and reads.start() < other.start() and not _ANOTHER.search(rest[: other.start()]):
            return "negative"
        return "positive"
