"""An English sentence with the findings it names and the cues around them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from llmrg.findings._lexicon_en import BLANKS, GLOBALLY_NORMAL, NORMALS, PHRASES
from llmrg.findings._lexicon_en_cues import CUES, CueKind
from llmrg.findings._lexicon_en_wider import WIDER_NORMALS, WIDER_PHRASES

__all__ = ["SIGN", "SIGN_OF", "Cue", "Hit", "Sentence"]

SIGN = "blunting"
"""What the phrases call a blunted angle: a sign of an effusion, which may be read as something else."""
SIGN_OF = "pleural_effusion"
_WORD = re.compile(r"[a-z0-9_]+(?:['’][a-z]+)?|[^\sa-z0-9_]")
_WORDS_KEPT = 1 << 15
_NO_OBJECT = re.compile(
    r" (?:on|in|with|without|given|at|but|and|because|by|due|however|here|for|from|as|since|when|while|though|although"
    r"|particularly|especially|entirely|completely)\b"
)
"""Words after a verb that has no object: effusion is difficult to exclude on this film."""
_CLAUSE_END = re.compile(r";|\. ")


@dataclass(slots=True)
class Hit:
    """Words that name a finding; ``normal`` where they are a normal statement that denies it."""

    observation: str
    start: int
    end: int
    normal: bool


@dataclass(slots=True)
class Cue:
    """Words that deny, doubt or bound."""

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
    part = match.group("part") or match.group("past")  # only a part of the words that decide
    return "_" * len(text) if part is None else text[: -len(part)] + "_" * len(part)


class Sentence:
    """A sentence as it is read: lower case, look-alikes blotted out.

    Args:
        sentence: as :func:`llmrg.text.sentences.split_sentences` gives it.
    """

    def __init__(self, sentence: str) -> None:
        text = sentence.lower()
        self.shown = sentence if len(text) == len(sentence) else text  # a few letters change length when lowered
        bits = 0
        words = [(match.group(), match.start()) for match in _WORD.finditer(text)]
        for word, _ in words:
            bits |= _word_bits(word)
        self.text = _BLANKS.sub(_blot, text) if bits & _BLANKS_BIT else text
        self.normal = bool(bits & _NORMAL_BIT and _GLOBALLY_NORMAL.search(self.text))
        self.hits = _find_hits(self.text, bits)
        self.cues = [self._settle(cue) for cue in _find_cues(self.text, words)] if self.hits else []
        self._bounds = [0, *self._clause_ends(), len(text) + 1]

    def _settle(self, cue: Cue) -> Cue:
        """Decide whether a cue that can reach either way reaches forward."""
        if cue.kind == "unc_both":
            following = next((hit.start for hit in self.hits if hit.start >= cue.end), None)
            end = self.text.find(",", cue.end)
            ahead = following is not None and (end < 0 or following < end) and not _NO_OBJECT.match(self.text, cue.end)
            return Cue("unc" if ahead else "unc_after", cue.start, cue.end)
        return cue

    def _clause_ends(self) -> list[int]:
        inside = [(cue.start, cue.end) for cue in self.cues if cue.kind == "neg_after"]
        return [
            match.end()
            for match in _CLAUSE_END.finditer(self.text)
            if not any(start <= match.start() < end for start, end in inside)
        ]

    @property
    def bounds(self) -> list[int]:
        """Where clauses begin and end."""
        return self._bounds

    def clause(self, position: int) -> tuple[int, int]:
        """Start and end of the clause that a letter stands in."""
        index = bisect_right(self._bounds, position)
        return self._bounds[index - 1], self._bounds[min(index, len(self._bounds) - 1)]

    def hit_between(self, start: int, end: int) -> bool:
        """Whether a finding begins between two places."""
        return any(start <= other.start < end for other in self.hits)


def _find_hits(text: str, bits: int) -> list[Hit]:
    hits: list[Hit] = []
    for place, (observation, normal, pattern) in enumerate(_PATTERNS):
        if not bits >> place & 1:
            continue
        for match in pattern.finditer(text):
            start, end = match.span()
            if normal:
                if any(h.observation == observation and h.start < start and h.end > end for h in hits):
                    continue
                hits = [h for h in hits if h.observation != observation or h.end <= start or h.start >= end]
            hits.append(Hit(observation, start, end, normal))
    hits.sort(key=lambda hit: (hit.start, hit.end))
    return hits


def _find_cues(text: str, words: list[tuple[str, int]]) -> list[Cue]:
    cues: list[Cue] = []
    reached = 0
    for word, start in words:
        if start < reached or word not in CUES:
            continue
        for kind, pattern in CUES[word]:
            match = pattern.match(text, start)
            if match:
                reached = max(match.end(), start + 1)
                cues.append(Cue(kind, start, match.end()))
                break
    return cues
