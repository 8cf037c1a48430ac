"""What a labeler knows of a language."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmrg.findings.mention import Severity, Side

__all__ = ["Lexicon"]


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """Phrases and cues of one language, as compiled patterns.

    Args:
        language: ``zh`` or ``en``.
        blanks: words that look like a finding and are none; blotted out before reading.
        phrases: for each observation, the words that name it. A negation inside the match counts.
        normals: for each observation, statements that deny it without a negation (心影大小正常).
        globally_normal: statements that nothing at all is wrong.
        cues: named groups ``pseudo`` (no cue, though it looks like one), ``neg`` and ``unc`` (for what follows),
            ``evoke`` (uncertain for what follows, negated by an earlier negation), ``neg_after`` and ``unc_after``
            (for what precedes), ``either`` (uncertain for the neighbours) and ``stop`` (ends the reach of cues).
        clause: where a clause ends.
        separator: where, between two findings, the words of the first end and those of the second begin.
        sides: words of side.
        severities: words of degree.
        list_item: a clause that is a mere list item once findings are blotted out (Chinese), or words that start a
            statement of its own after a comma (English).
        predicates: phrases that are a whole statement; a negation in front of the comma does not reach them.
        no_side: observations whose side says nothing of findings after them.
    """

    language: str
    blanks: re.Pattern[str]
    phrases: Mapping[str, re.Pattern[str]]
    normals: Mapping[str, re.Pattern[str]]
    globally_normal: re.Pattern[str]
    cues: re.Pattern[str]
    clause: re.Pattern[str]
    separator: re.Pattern[str]
    sides: Mapping[Side, re.Pattern[str]]
    severities: Sequence[tuple[Severity, re.Pattern[str]]]
    list_item: re.Pattern[str]
    predicates: re.Pattern[str]
    no_side: frozenset[str] = frozenset({"support_device", "rib_fracture", "cardiomegaly", "enlarged_mediastinum"})
