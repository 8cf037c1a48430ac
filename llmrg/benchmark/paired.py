"""Paired tests: systems against each other, the strongest trivial baseline of each metric, and copying by encoder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

from llmrg.benchmark.result_parts import PairedResult
from llmrg.benchmark.results import Row
from llmrg.benchmark.scoring import ScoredRow
from llmrg.metrics.comparison import LOWER_IS_BETTER, compare_systems
from llmrg.metrics.holm import holm

__all__ = ["LEVEL", "TRIVIAL", "compare_rows", "paired_tests"]

LEVEL = 0.05
"""A corrected p below it counts as a difference."""

TRIVIAL = ("constant", "random", "nearest")
"""Rows that no system took part in."""


def paired_tests(
    rows: Sequence[ScoredRow],
    metrics: Sequence[str],
    *,
    trials: int,
    resamples: int,
    seed: int,
    copied_by: Mapping[str, str] | None = None,
) -> tuple[PairedResult, ...]:
    """Compare every two systems, and every system with the strongest trivial baseline of each metric.

    A system is also compared with the row that copies what its own encoder finds nearest: what the language model
    adds to retrieval.

    Args:
        rows: all rows.
        metrics: those over which p values of one comparison are corrected.
        trials: random swaps of patients.
        resamples: bootstrap resamples of the intervals; 0 leaves intervals out.
        seed: of both.
        copied_by: a system's name to that of the row that copies by its encoder.

    Raises:
        UserError: rows that were not scored in the same way against the same references.
    """
    copying = {row.row.system: row for row in rows if row.row.kind == "baseline"}
    systems = [row for row in rows if row.row.kind == "system"]
    trivial = [row for row in rows if row.row.system in TRIVIAL and row.row.kind == "baseline"]
    found: list[PairedResult] = []
    for first, second in combinations(systems, 2):
        found += compare_rows(
            first, dict.fromkeys(metrics, second), purpose="systems", trials=trials, resamples=resamples, seed=seed
        )
    for system in systems if trivial else ():
        strongest = {name: _strongest(trivial, name) for name in metrics}
        found += compare_rows(system, strongest, purpose="baseline", trials=trials, resamples=resamples, seed=seed)
    for system in systems:
        copier = copying.get((copied_by or {}).get(system.row.system, ""))
        if copier is not None:
            opponents = dict.fromkeys(metrics, copier)
            found += compare_rows(system, opponents, purpose="encoder", trials=trials, resamples=resamples, seed=seed)
    return tuple(found)


def compare_rows(
    first: ScoredRow,
    opponents: Mapping[str, ScoredRow],
    *,
    purpose: Literal["systems", "baseline", "encoder"],
    trials: int,
    resamples: int,
    seed: int,
) -> list[PairedResult]:
    """Compare one row with another one (for each metric perhaps another) and correct p over the metrics.

    A metric that is undefined for a row is left out.

    Args:
        first: the row.
        opponents: what it is compared with, by metric.
        purpose: what the comparison is for.
        trials: random swaps of patients.
        resamples: bootstrap resamples; 0 leaves intervals out.
        seed: of both.

    Raises:
        UserError: rows that were not scored in the same way against the same references.
    """
    by_opponent: dict[str, list[str]] = {}
    for name, row in opponents.items():
        by_opponent.setdefault(row.row.system, []).append(name)
    found: dict[str, PairedResult] = {}
    for names in by_opponent.values():
        second = opponents[names[0]]
        comparison = compare_systems(
            first.runs,
            second.runs,
            names,
            names=(first.row.system, second.row.system),
            trials=trials,
            resamples=max(1, resamples),
            seed=seed,
        )
        for one in comparison.metrics:
            if one.difference is None or one.p is None:
                continue
            interval = one.interval if resamples else None
            found[one.metric] = {
                "metric": one.metric,
                "first": first.row.system,
                "second": second.row.system,
                "purpose": purpose,
                "difference": one.difference,
                "low": None if interval is None else interval.low,
                "high": None if interval is None else interval.high,
                "p": one.p,
                "p_holm": 1.0,
                "trials": trials,
                "better": None,
            }
    ordered = [found[name] for name in opponents if name in found]
    for record, corrected in zip(ordered, holm([record["p"] for record in ordered]), strict=True):
        record["p_holm"] = 1.0 if corrected is None else corrected
        if record["p_holm"] < LEVEL and record["difference"]:
            gains = (record["difference"] > 0) != (record["metric"] in LOWER_IS_BETTER)
            record["better"] = record["first"] if gains else record["second"]
    return ordered


def _strongest(rows: Sequence[ScoredRow], metric: str) -> ScoredRow:
    return max(rows, key=lambda row: _worth(row.row, metric))


def _worth(row: Row, metric: str) -> float:
    value = row.value(metric)
    if value is None:
        return -math.inf
    return -value if metric in LOWER_IS_BETTER else value
