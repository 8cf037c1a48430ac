"""What ``llmrg data check`` says of many things in a few words: quantiles, and counts with examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["SHOWN", "Examples", "quantiles"]

SHOWN = 20
"""Examples that are kept of each kind."""

_QUANTILES = {"min": 0.0, "5%": 0.05, "25%": 0.25, "50%": 0.5, "75%": 0.75, "95%": 0.95, "max": 1.0}


class Examples:
    """Counts things and keeps the first few."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[Any] = []

    def add(self, thing: Any) -> None:
        """Count one more."""
        self.count += 1
        if len(self._kept) < SHOWN:
            self._kept.append(thing)

    def result(self) -> dict[str, Any]:
        """Return the count and the examples."""
        return {"count": self.count, "examples": self._kept}


def quantiles(values: Sequence[int]) -> dict[str, int]:
    """Return the least, the greatest and five values between, each one of the values; empty where there are none."""
    if not values:
        return {}
    found = np.quantile(np.asarray(values), list(_QUANTILES.values()), method="lower")
    return {name: int(value) for name, value in zip(_QUANTILES, found, strict=True)}
