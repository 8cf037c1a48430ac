"""Paired tests: systems against each other, and against the strongest trivial baseline of each metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from llmrg.benchmark.result_parts import PairedResult
from llmrg.benchmark.results import Row
from llmrg.benchmark.scoring import ScoredRow
from llmrg.errors import UserError
from llmrg.metrics.holm import holm
from llmrg.metrics.metric import Metric
from llmrg.metrics.statistics import bootstrap_sums, percentile_bounds, randomisation_p_value, swapped_sums

__all__ = ["LEVEL", "TestSettings", "compare_rows", "paired_tests"]

LEVEL = 0.05
"""A corrected p below it counts as a difference."""

_LOWER_IS_BETTER = frozenset({"invented_priors"})
_TRIVIAL = ("constant", "random", "nearest")

Purpose = Literal["systems", "baseline"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TestSettings:
    """How rows are compared.

    Args:
        metrics: the metrics of one family of tests, over which p values are corrected.
        patients: the patient of each study, in the order of the statistics.
        trials: random swaps.
        resamples: bootstrap resamples of the intervals; 0 leaves intervals out.
        seed: of both.
    """

    __test__ = False  # no test class, whatever its name says to pytest

    metrics: tuple[Metric[Any], ...]
    patients: tuple[str, ...]
    trials: int
    resamples: int
    seed: int


def paired_tests(rows: Sequence[ScoredRow], settings: TestSettings) -> tuple[PairedResult, ...]:
    """Compare every two systems, and every system with the strongest trivial baseline of each metric.

    Trivial baselines are the rows ``constant``, ``random`` and ``nearest``.
    """
    systems = [row for row in rows if row.row.kind == "system"]
    trivial = [row for row in rows if row.row.kind == "baseline" and row.row.system in _TRIVIAL]
    found: list[PairedResult] = []
    for first, second in combinations(systems, 2):
        found += compare_rows(first, {metric.name: second for metric in settings.metrics}, settings, purpose="systems")
    for system in systems if trivial else ():
        strongest = {
            metric.name: max(trivial, key=lambda row: _worth(row.row, metric.name)) for metric in settings.metrics
        }
        found += compare_rows(system, strongest, settings, purpose="baseline")
    return tuple(found)


def compare_rows(
    first: ScoredRow, second: Mapping[str, ScoredRow], settings: TestSettings, *, purpose: Purpose
) -> list[PairedResult]:
    """Compare one row with another one (for each metric perhaps another) and correct p over the metrics.

    Where a row has several seeds, each of them meets each of the other's equally often, and figures and differences are
    means; the same patients are swapped and drawn for all of them. A metric that is undefined for a row is left out.

    Args:
        first: the row.
        second: what it is compared with, by metric.
        settings: metrics, trials, resamples.
        purpose: what the comparison is for.

    Raises:
        UserError: the rows were scored against different references.
    """
    found: list[PairedResult] = []
    by_opponent: dict[str, list[Metric[Any]]] = {}
    for metric in settings.metrics:
        by_opponent.setdefault(second[metric.name].row.system, []).append(metric)
    for metrics in by_opponent.values():
        other = second[metrics[0].name]
        if first.reference_hash != other.reference_hash:
            raise UserError(
                f"{first.row.system} and {other.row.system} were scored against different references and do not compare"
            )
        swapped, drawn, differences = _differences(first, other, metrics, settings)
        for metric in metrics:
            difference = differences[metric.name]
            if math.isnan(difference):
                continue
            bounds = None
            if settings.resamples:
                bounds = percentile_bounds(drawn[metric.name][:, None])[0]
            low, high = bounds or (None, None)
            found.append(
                {
                    "metric": metric.name,
                    "first": first.row.system,
                    "second": other.row.system,
                    "purpose": purpose,
                    "difference": difference,
                    "low": low,
                    "high": high,
                    "p": randomisation_p_value(difference, swapped[metric.name]),
                    "p_holm": 1.0,
                    "trials": settings.trials,
                    "better": None,
                }
            )
    order = [metric.name for metric in settings.metrics]
    found.sort(key=lambda one: order.index(one["metric"]))
    for one, corrected in zip(found, holm([one["p"] for one in found]), strict=True):
        one["p_holm"] = 1.0 if corrected is None else corrected
        if one["p_holm"] < LEVEL and one["difference"]:
            gain = one["difference"] * (-1 if one["metric"] in _LOWER_IS_BETTER else 1)
            one["better"] = one["first"] if gain > 0 else one["second"]
    return found


def _differences(
    first: ScoredRow, second: ScoredRow, metrics: Sequence[Metric[Any]], settings: TestSettings
) -> tuple[dict[str, Floats], dict[str, Floats], dict[str, float]]:
    """Differences by metric: in each trial, in each resample, and as observed; means over pairs of seeds."""
    families = list(dict.fromkeys(metric.family for metric in metrics))
    one, two = ([np.hstack([seed[f] for f in families]) for seed in row.statistics] for row in (first, second))
    ends = np.cumsum([first.statistics[0][family].shape[1] for family in families])
    columns = {
        family: slice(end - first.statistics[0][family].shape[1], end)
        for family, end in zip(families, ends, strict=True)
    }
    count = math.lcm(len(one), len(two))
    swapped: dict[str, Floats] = {metric.name: np.zeros(settings.trials) for metric in metrics}
    drawn: dict[str, Floats] = {metric.name: np.zeros(settings.resamples) for metric in metrics}
    observed = {metric.name: 0.0 for metric in metrics}
    for number in range(count):
        own, other = one[number % len(one)], two[number % len(two)]
        whole_own, whole_other = own.sum(axis=0), other.sum(axis=0)
        moved = swapped_sums(own, other, patients=settings.patients, trials=settings.trials, seed=settings.seed)
        sums = np.zeros((0, 2 * own.shape[1]))
        if settings.resamples:
            sums = bootstrap_sums(
                np.hstack([own, other]), patients=settings.patients, resamples=settings.resamples, seed=settings.seed
            )
        for metric in metrics:
            part = columns[metric.family]
            shifted = slice(part.start + own.shape[1], part.stop + own.shape[1])
            observed[metric.name] += float(metric.value(whole_own[part]) - metric.value(whole_other[part])) / count
            trial = metric.value((whole_own + moved)[:, part]) - metric.value((whole_other - moved)[:, part])
            swapped[metric.name] += trial / count
            if settings.resamples:
                drawn[metric.name] += (metric.value(sums[:, part]) - metric.value(sums[:, shifted])) / count
    return swapped, drawn, observed


def _worth(row: Row, metric: str) -> float:
    value = row.value(metric)
    if value is None:
        return -math.inf
    return -value if metric in _LOWER_IS_BETTER else value
