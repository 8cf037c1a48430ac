"""Figures of a row from the additive statistics of its seeds: values, spread over seeds, intervals over patients."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmrg.metrics.metric import Metric, Statistics
from llmrg.metrics.statistics import bootstrap_sums, percentile_bounds

__all__ = ["Figures", "SeedStatistics", "resampled_sums", "row_figures"]

SeedStatistics = Mapping[str, Statistics]
"""Statistics ``[N, S]`` of one seed by metric family."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the statistics of a row give.

    Args:
        values: figure by metric, the mean over seeds; None where a seed leaves it undefined.
        intervals: 95 % interval of that mean over resampled patients (the same patients for every seed).
        by_seed: figure of each seed by metric.
    """

    values: Mapping[str, float | None]
    intervals: Mapping[str, tuple[float, float]]
    by_seed: Mapping[str, tuple[float | None, ...]]


def resampled_sums(
    statistics: SeedStatistics, *, patients: Sequence[str], resamples: int, seed: int
) -> dict[str, Statistics]:
    """Return the sums over resampled patients ``[R, S]`` by family; the patients are drawn once for all families."""
    families = list(statistics)
    whole = np.hstack([statistics[family] for family in families])
    sums = bootstrap_sums(whole, patients=patients, resamples=resamples, seed=seed)
    ends = np.cumsum([statistics[family].shape[1] for family in families])
    return dict(zip(families, np.split(sums, ends[:-1], axis=1), strict=True))


def row_figures(
    seeds: Sequence[SeedStatistics], metrics: Iterable[Metric[Any]], *, drawn: Sequence[Mapping[str, Statistics]]
) -> Figures:
    """Compute every metric.

    Args:
        seeds: the statistics of each seed.
        metrics: what to compute.
        drawn: :func:`resampled_sums` of each seed, or nothing for figures without intervals.
    """
    values: dict[str, float | None] = {}
    intervals: dict[str, tuple[float, float]] = {}
    by_seed: dict[str, tuple[float | None, ...]] = {}
    for metric in metrics:
        numbers = [float(metric.value(one[metric.family].sum(axis=0))) for one in seeds]
        by_seed[metric.name] = tuple(None if math.isnan(number) else number for number in numbers)
        mean = float(np.mean(numbers))
        values[metric.name] = None if math.isnan(mean) else mean
        if not drawn:
            continue
        means = np.mean([metric.value(sums[metric.family]) for sums in drawn], axis=0)
        bounds = percentile_bounds(np.asarray(means, dtype=np.float64)[:, None])[0]
        if bounds is not None:
            intervals[metric.name] = bounds
    return Figures(values=values, intervals=intervals, by_seed=by_seed)
