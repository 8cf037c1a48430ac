"""What one sentence states of one finding."""

from __future__ import annotations

from dataclasses import dataclass

from llmrg.findings.mention import Polarity, Severity, Side

__all__ = ["Reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One finding as one sentence states it: the fields of a mention, and how it is stated.

    ``normal``: a normal statement denies it (heart size normal). ``sign``: a mere sign of it is seen (a blunted angle).
    ``whole``: a denial that leaves nothing of it (not: no large effusion).
    """

    observation: str
    polarity: Polarity
    side: Side | None
    severity: Severity | None
    proof: str
    normal: bool = False
    location: str | None = None
    sign: bool = False
    whole: bool = True
