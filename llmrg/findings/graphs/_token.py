"""The tokens of a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from llmrg.findings.graphs._terms import Role

__all__ = ["STEADY", "Token"]

STEADY = frozenset(
    {
        "stable",
        "unchanged",
        "similar",
        "same",
        "constant",
        "unaltered",
        "static",
        "without change",
        "稳定",
        "相同",
        "大致相同",
        "相仿",
        "同前",
    }
    | {"变化不大", "无变化", "无明显变化", "无显著变化", "未见变化", "未见明显变化", "未见明显改变", "无明显改变"}
    | {f"no{kind} change" for kind in ("", " significant", " interval", " significant interval", " definite")}
    | {f"no{kind} change in" for kind in ("", " significant", " interval", " significant interval", " definite")}
)
"""States that say that nothing has changed: of a lesion they decide nothing."""


@dataclass(slots=True)
class Token:
    """A word, phrase or place of a sentence.

    Args:
        role: what it does.
        start: offset in the sentence.
        end: offset behind it.
        text: its characters, lower case.
        region: of a place, that of its organ (empty: a bare side or zone); of a lesion, where it is found.
        clause: number of its clause.
    """

    role: Role
    start: int
    end: int
    text: str
    region: str = ""
    clause: int = 0
