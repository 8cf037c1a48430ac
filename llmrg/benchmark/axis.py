"""A linear axis with round ends; positions are percent of its width, so that a plot fits any page."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["Axis", "round_axis"]

_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_MOST_PARTS = 6


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A linear axis of equal parts.

    Args:
        low: value at its left end.
        step: value of one part.
        parts: number of parts, at least 1.
        scale: factor of values in labels: 100 writes parts of one in percent.
    """

    low: float
    step: float
    parts: int
    scale: float = 1.0

    @property
    def high(self) -> float:
        """Value at its right end."""
        return self.low + self.parts * self.step

    def at(self, value: float) -> float:
        """Position of a value in percent of the axis; values outside stand at its ends."""
        part = (value - self.low) / (self.parts * self.step)
        return round(100 * min(1.0, max(0.0, part)), 2)

    def ticks(self) -> list[dict[str, Any]]:
        """Position and label of both ends and of every part between."""
        digits = _decimals(self.scale * self.step)
        return [
            {
                "at": round(100 * part / self.parts, 2),
                "text": f"{self.scale * (self.low + part * self.step):.{digits}f}".replace("-", "\u2212"),
            }
            for part in range(self.parts + 1)
        ]

    def to_mapping(self) -> dict[str, Any]:
        """What the template needs to draw it."""
        return {"ticks": self.ticks(), "parts": self.parts, "zero": self.at(0.0) if self.low < 0 else None}


def round_axis(values: Iterable[float], *, scale: float = 1.0, most: float = math.inf) -> Axis:
    """Return the axis from 0 (or a round number below the least value) to a round number above the greatest.

    Args:
        values: what the axis has to hold.
        scale: factor of values in labels.
        most: no figure can be greater; the axis does not pass it.
    """
    known = [float(value) for value in values if math.isfinite(value)]
    low, high = min([0.0, *known]), min(most, max([0.0, *known]))
    if high - low <= 0:
        return Axis(low=0.0, step=0.25, parts=4, scale=scale)
    rough = (high - low) / (_MOST_PARTS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(part for part in _ROUND if part * power >= rough * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = max(first + 1, math.ceil(high / step - 1e-9))
    return Axis(low=first * step, step=step, parts=last - first, scale=scale)


def _decimals(step: float) -> int:
    return next((digits for digits in range(6) if abs(step * 10**digits - round(step * 10**digits)) < 1e-6), 6)
