"""What a report says of one finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Mention", "Polarity", "Severity", "Side"]

Polarity = Literal["positive", "negative", "uncertain"]
Side = Literal["left", "right", "bilateral"]
Severity = Literal["mild", "moderate", "severe"]


@dataclass(frozen=True, kw_only=True)
class Mention:
    """One finding as a text states it.

    Args:
        finding: its name in the vocabulary.
        polarity: positive, negative or uncertain.
        side: left, right or bilateral, where the text states one: that of the first mention that counts.
        severity: mild, moderate or severe, where the text states one.
        proof: the words that were read as the statement.
        location: the words of place as they stand in the text (右肺下叶, "left lower lobe"), where it states them.
        extent: the sides of all mentions that count, joined: left and right in two sentences are bilateral.
    """

    finding: str
    polarity: Polarity
    side: Side | None = None
    severity: Severity | None = None
    proof: str = ""
    location: str | None = None
    extent: Side | None = None

    @property
    def whole_side(self) -> Side | None:
        """The side of the finding in the whole text: what the mentions that count have in common, joined."""
        return self.extent or self.side
