"""Which keywords the words of an entity stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from llmrg.findings.mention import Side

__all__ = ["KeywordRules"]

_WEAK = "?"
"""In front of an anatomy keyword whose words count only where no other does: the 段 of 肺动脉段 is no lung's."""
LesionRule = tuple[str, tuple[str, ...], str, bool]
"""Pattern, lesion keywords, implied anatomy keyword (empty for none), whether it replaces lung and chest."""


@dataclass(frozen=True, kw_only=True)
class KeywordRules:
    """Keywords of a language.

    Args:
        places: anatomy keyword and pattern; the longest match at each position counts, then the first.
        lesions_in_order: the first pattern that an observation's words hold counts.
        sides: patterns of side.
    """

    places: Sequence[tuple[str, str]]
    lesions_in_order: Sequence[LesionRule]
    sides: Sequence[tuple[Side, str]]

    @cached_property
    def _place_pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(f"(?P<k{number}>{pattern})" for number, (_, pattern) in enumerate(self.places)))

    @cached_property
    def _lesion_patterns(self) -> list[tuple[re.Pattern[str], LesionRule]]:
        return [(re.compile(rule[0]), rule) for rule in self.lesions_in_order]

    @cached_property
    def _side_patterns(self) -> list[tuple[Side, re.Pattern[str]]]:
        return [(side, re.compile(pattern)) for side, pattern in self.sides]

    def anatomy(self, text: str) -> frozenset[str]:
        """Return the anatomy keywords of a place (lower case); empty for a bare side or zone."""
        names = {self.places[int((match.lastgroup or "k0")[1:])][0] for match in self._place_pattern.finditer(text)}
        if any(not name.startswith(_WEAK) for name in names):
            names = {name for name in names if not name.startswith(_WEAK)}
        return frozenset(name.removeprefix(_WEAK) for name in names)

    def lesions(self, text: str) -> tuple[tuple[str, str | None, bool], ...]:
        """Return the lesion keywords of an observation's words with the implied anatomy keyword, if any."""
        for pattern, (_, keywords, implied, forced) in self._lesion_patterns:
            if pattern.search(text):
                return tuple((keyword, implied or None, forced) for keyword in keywords)
        return ()

    def side(self, text: str) -> Side | None:
        """Return the side that a place names."""
        found = {side for side, pattern in self._side_patterns if pattern.search(text)}
        if len(found) > 1 or "bilateral" in found:
            return "bilateral"
        return found.pop() if found else None
