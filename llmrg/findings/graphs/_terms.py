"""The lexicon of report graphs: words with what they do in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

__all__ = ["PLACE_PARTS", "Role", "Terms", "Word", "expand"]

Role = Literal[
    # parts of a place
    "organ",
    "side",
    "zone",
    "tail",
    "place",
    # observations
    "lesion",
    "shadow",
    "neutral",
    "margin",
    "shape",
    "degree",
    "disease",
    "change",
    "normal",
    # cues
    "denial",
    "denied",
    "gone",
    "hedge",
    "hedged",
    "emphasis",
    # structure
    "end",
    "comma",
    "list",
    "verb",
    "at",
    "of",
    "stop",
    "skip",
]
"""What a word does. ``organ``, ``side``, ``zone`` and ``tail`` make up a ``place``. ``lesion``, ``shadow``, ``neutral``
and ``margin`` are nouns; ``shape`` and ``degree`` describe; ``disease``, ``change`` (says nothing new of a lesion) and
``normal`` are states. ``denial`` denies what follows, ``denied`` and ``gone`` what precedes; ``hedge`` and ``hedged``
make it uncertain. ``end`` and ``comma`` end clauses, ``list`` joins, ``verb`` is a copula or 见, ``at`` and ``of`` are
prepositions, ``stop`` ends the reach of cues, ``skip`` is nothing at all."""

PLACE_PARTS: frozenset[Role] = frozenset({"organ", "side", "zone", "tail"})


@dataclass(frozen=True, slots=True)
class Word:
    """An entry of the lexicon.

    Args:
        role: what it does.
        region: of an organ, its region; of a lesion, where it is found (empty: anywhere).
    """

    role: Role
    region: str = ""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The lexicon of a language.

    Args:
        language: ``zh`` or ``en``.
        words: by the words, lower case; English words are parted by single spaces.
        numbers: numbers that belong to a place (第5, T8), before the organ that they count.
        hedges: pattern with the groups ``unc``, ``evoke`` and ``either`` (for what follows) and ``unc_after``.
        symbols: pattern of the pieces that the words are made of: characters or words and marks.
    """

    language: Literal["zh", "en"]
    words: Mapping[str, Word]
    numbers: re.Pattern[str]
    hedges: re.Pattern[str]
    symbols: re.Pattern[str]

    @cached_property
    def longest(self) -> Mapping[str, int]:
        """For each first symbol, the number of symbols of the longest entry."""
        sizes: dict[str, int] = {}
        for words in self.words:
            symbols = self.symbols.findall(words)
            sizes[symbols[0]] = max(sizes.get(symbols[0], 0), len(symbols))
        return sizes


def expand(groups: Iterable[tuple[Role, str, str]]) -> dict[str, Word]:
    """Return the entries of word lists; the first list that has a word decides.

    Args:
        groups: role, region and words; words are parted by white space, ``_`` stands for a space inside one, and
            ``(s)`` at the end for both numbers.
    """
    table: dict[str, Word] = {}
    for role, region, words in groups:
        for entry in words.split():
            term = entry.replace("_", " ")
            forms = (term[:-3], _plural(term[:-3])) if term.endswith("(s)") else (term,)
            for form in forms:
                table.setdefault(form, Word(role, region))
    return table


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")
