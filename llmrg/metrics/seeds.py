"""Several runs of one system that differ by their seed: mean, spread, interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import t as student

from llmrg.errors import UserError

__all__ = ["SeedSpread", "seed_spread"]


@dataclass(frozen=True, kw_only=True)
class SeedSpread:
    """One figure over the runs of a system.

    Args:
        values: the figure of each run.
        mean: over the runs.
        sd: standard deviation over the runs (n - 1); None for a single run, whose spread is unknown.
        low: lower end of Student's interval for the mean over further seeds; None for a single run.
        high: its upper end.
        confidence: of the interval.
    """

    values: tuple[float, ...]
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    confidence: float

    def to_mapping(self) -> dict[str, Any]:
        """Return the spread as JSON holds it."""
        interval = None if self.low is None else [self.low, self.high]
        return {"values": list(self.values), "mean": self.mean, "sd": self.sd, "t_interval": interval}


def seed_spread(values: Sequence[float], *, confidence: float = 0.95) -> SeedSpread:
    """Return mean, standard deviation and Student's t interval of a figure over seeds.

    The interval is about training again on the same data and scoring the same studies: it knows nothing of other
    patients, as the bootstrap interval of the mean over patients knows nothing of other seeds. So both are reported
    and never added up.

    Args:
        values: the figure of each run.
        confidence: of the interval.

    Raises:
        UserError: no runs.
    """
    if not values:
        raise UserError("There are no runs to average")
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return SeedSpread(values=tuple(values), mean=mean, sd=None, low=None, high=None, confidence=confidence)
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    half = float(student.ppf((1 + confidence) / 2, count - 1)) * sd / math.sqrt(count)
    return SeedSpread(values=tuple(values), mean=mean, sd=sd, low=mean - half, high=mean + half, confidence=confidence)
