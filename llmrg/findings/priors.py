"""Where a report compares with an earlier examination of the patient."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from llmrg.errors import UserError
from llmrg.findings import _priors_en, _priors_zh

__all__ = ["PRIORS_VERSION", "PriorKind", "PriorMention", "prior_in_comparison", "prior_mentions"]

PRIORS_VERSION = "priors-1"
"""Changes with every change of the words that can change what is found."""

PriorKind = Literal["comparison", "unchanged", "different"]

_SENTENCE_END = {
    "en": re.compile(r"[;!?\n]|\.(?=\s|$|\d\.\s)"),
    "zh": re.compile(r"[。；！？;!?\n]"),
}
_LEXICONS = {"en": _priors_en, "zh": _priors_zh}

_NO_PRIOR = re.compile(
    r"^\W*(?:none|no\b|nil|n/?a\b|not? (?:available|applicable)|unavailable|without|nan$|null$|无|没有|未提供|暂无|缺)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class PriorMention:
    """Words that only make sense beside an earlier examination.

    Args:
        kind: ``comparison`` names the earlier examination, ``unchanged`` and ``different`` say what became of a thing.
        words: as they stand in the text.
        start: offset of their first character.
        end: offset behind their last character.
    """

    kind: PriorKind
    words: str
    start: int
    end: int


def prior_mentions(text: str, language: Literal["zh", "en"]) -> tuple[PriorMention, ...]:
    """Find the words of a report that compare with an earlier examination.

    Statements that there is nothing to compare with, requests to compare or to follow up, and other senses of the same
    words (a stable patient, new bone, the anterior ribs) are none.

    Args:
        text: a report or a section of one.
        language: ``zh`` or ``en``.

    Returns:
        Mentions in the order of the text; of overlapping ones the first and longest.

    Raises:
        UserError: an unknown language.
    """
    if language not in _LEXICONS:
        raise UserError("Comparisons are not found in this language", allowed=tuple(_LEXICONS), got=language)
    found: list[PriorMention] = []
    start = 0
    for stop in [*(match.end() for match in _SENTENCE_END[language].finditer(text)), len(text)]:
        for kind, first, last in _read(text[start:stop], language):
            found.append(
                PriorMention(kind=kind, words=text[start + first : start + last], start=start + first, end=start + last)
            )
        start = stop
    return tuple(found)


def prior_in_comparison(section: str | None) -> bool | None:
    """Read from a report's comparison section whether there was an earlier examination.

    Args:
        section: its text ("None.", "Chest radiograph dated ...", 无), or None where the report has no such section.

    Returns:
        True or False as the section says, None where it says nothing.
    """
    if section is None or not any(character.isalnum() for character in section):
        return None
    return _NO_PRIOR.match(section.strip()) is None


@lru_cache(maxsize=1 << 16)
def _read(sentence: str, language: str) -> tuple[tuple[PriorKind, int, int], ...]:
    """Return kind, start and end of the mentions of one sentence."""
    cues, excluded = _patterns(language)
    hits = sorted(
        (match.start(), -match.end(), kind) for kind, cue in cues for match in cue.finditer(sentence) if match.group()
    )
    if not hits:
        return ()
    barred = [match.span() for pattern in excluded for match in pattern.finditer(sentence)]
    found: list[tuple[PriorKind, int, int]] = []
    reached = 0
    for start, negative_end, kind in hits:
        end = -negative_end
        if start < reached or any(low <= start and end <= high for low, high in barred):
            continue
        reached = end
        words = sentence[start:end]
        found.append((kind, start + len(words) - len(words.lstrip()), start + len(words.rstrip())))
    return tuple(found)


@cache
def _patterns(
    language: str,
) -> tuple[tuple[tuple[PriorKind, re.Pattern[str]], ...], tuple[re.Pattern[str], ...]]:
    lexicon = _LEXICONS[language]
    kinds: dict[str, PriorKind] = {"comparison": "comparison", "unchanged": "unchanged", "different": "different"}
    cues = tuple((kinds[kind], re.compile(cue, re.IGNORECASE)) for kind, cue in lexicon.CUES)
    return cues, tuple(re.compile(pattern, re.IGNORECASE) for pattern in lexicon.NOT)
