"""Drawing words from phrase tables.

A phrase is a pattern in which ``[a|b]`` stands for a choice and ``{place}`` for a slot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Degrees", "PhraseBook", "choose", "expand", "fill"]

Degrees = Mapping[str, Sequence[str]]

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class PhraseBook:
    """How one hospital words a report.

    Args:
        findings: by observation, then by severity (``any`` where the degree is not said).
        impressions: the same for the impression.
        normal: statements by topic.
        clean: impressions of a normal study.
        orders: orders in which regions may be described.
    """

    findings: Mapping[str, Degrees]
    impressions: Mapping[str, Degrees]
    normal: Mapping[str, Sequence[str]]
    clean: Sequence[str]
    orders: Sequence[Sequence[str]]


def choose(options: Sequence[str], rng: np.random.Generator) -> str:
    """Draw one option."""
    return options[int(rng.integers(len(options)))]


def expand(pattern: str, rng: np.random.Generator) -> str:
    """Resolve every choice group of a pattern by drawing one of its members."""
    return _CHOICE.sub(lambda group: choose(group.group(1).split("|"), rng), pattern)


def fill(patterns: Sequence[str], slots: Mapping[str, str], rng: np.random.Generator) -> str:
    """Draw a pattern whose slots all have a value, resolve its choices and fill it.

    Args:
        patterns: what may be said.
        slots: values by slot name; a pattern that needs a slot without a value is not drawn.
        rng: source of the choices.

    Returns:
        The words, without final punctuation.
    """
    fitting = [pattern for pattern in patterns if all(slots.get(name) for name in _SLOT.findall(pattern))]
    return expand(choose(fitting or patterns, rng), rng).format(**slots).strip()
