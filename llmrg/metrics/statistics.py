"""How far a figure can be trusted: bootstrap intervals and paired tests over patients.

Studies of one patient are not independent, so patients are what is drawn and swapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from llmrg.errors import UserError
from llmrg.metrics.metric import Statistics

__all__ = [
    "Interval",
    "PairedTest",
    "bootstrap_interval",
    "difference_interval",
    "paired_randomisation",
    "sum_patients",
]

Value = Callable[[Statistics], Any]

# Numbers in one block of resamples (draws x patients), to bound memory at some tens of megabytes.
_BLOCK = 4_000_000


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A percentile bootstrap interval.

    Args:
        low: lower end.
        high: upper end.
        confidence: share of resamples inside.
        resamples: how many were drawn.
        seed: of the draws.
    """

    low: float
    high: float
    confidence: float
    resamples: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """A paired approximate randomisation test.

    Args:
        difference: figure of the first system minus that of the second.
        p_value: ``(c + 1) / (trials + 1)``, c the trials with at least this difference (two-sided); never 0.
        trials: random swaps tried.
        seed: of the swaps.
    """

    difference: float
    p_value: float
    trials: int
    seed: int


def sum_patients(statistics: Statistics, patients: Sequence[str]) -> Statistics:
    """Return ``[P, S]``: the statistics ``[N, S]`` added up for each patient, in the order of first appearance.

    Raises:
        UserError: not one patient a study.
    """
    if len(patients) != len(statistics):
        raise UserError(f"{len(statistics)} studies came with {len(patients)} patients")
    place: dict[str, int] = {}
    places = np.array([place.setdefault(patient, len(place)) for patient in patients], dtype=np.int64)
    sums = np.zeros((len(place), statistics.shape[1]))
    np.add.at(sums, places, statistics)
    return sums


def bootstrap_sums(
    statistics: Statistics, *, patients: Sequence[str], resamples: int = 1000, seed: int = 0
) -> Statistics:
    """Return the sums of statistics ``[N, S]`` over resampled patients ``[R, S]``.

    Args:
        statistics: one row a study.
        patients: the patient of each study.
        resamples: R, draws of as many patients as there are, with replacement.
        seed: of the draws; the same seed draws the same patients for every metric.
    """
    groups = sum_patients(statistics, patients)
    return np.concatenate([draw @ groups for draw in _draws(len(groups), resamples, seed)])


def percentile_interval(values: npt.NDArray[np.float64], *, confidence: float, seed: int) -> Interval | None:
    """Return the interval that holds this share of the resampled values, or None where all of them are undefined."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(low=float(low), high=float(high), confidence=confidence, resamples=len(values), seed=seed)


def bootstrap_interval(
    statistics: Statistics,
    value: Value,
    *,
    patients: Sequence[str],
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """Return the percentile interval of a figure over resampled patients, or None where it is undefined throughout.

    Args:
        statistics: ``[N, S]``, one row a study.
        value: the figure for sums ``[R, S]``.
        patients: the patient of each study.
        resamples: draws of as many patients as there are.
        confidence: share of resamples inside.
        seed: of the draws; the same seed draws the same patients for every figure.
    """
    values = value(bootstrap_sums(statistics, patients=patients, resamples=resamples, seed=seed))
    return percentile_interval(values, confidence=confidence, seed=seed)


def difference_interval(
    first: Statistics,
    second: Statistics,
    value: Value,
    *,
    patients: Sequence[str],
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """Return the percentile interval of first minus second over the same resampled patients (see above)."""
    _check_pair(first, second)
    sums = bootstrap_sums(np.hstack([first, second]), patients=patients, resamples=resamples, seed=seed)
    width = first.shape[1]
    values = value(sums[:, :width]) - value(sums[:, width:])
    return percentile_interval(values, confidence=confidence, seed=seed)


def paired_randomisation(
    first: Statistics,
    second: Statistics,
    value: Value,
    *,
    patients: Sequence[str],
    trials: int = 10_000,
    seed: int = 0,
) -> PairedTest:
    """Test whether two systems differ by swapping their outputs for random patients (Noreen 1989).

    Args:
        first: ``[N, S]`` of one system.
        second: ``[N, S]`` of the other, the same studies in the same order.
        value: the figure for sums ``[..., S]``.
        patients: the patient of each study.
        trials: random swaps.
        seed: of the swaps.
    """
    _check_pair(first, second)
    one, two = sum_patients(first, patients), sum_patients(second, patients)
    gain = two - one
    whole_one, whole_two = one.sum(axis=0), two.sum(axis=0)
    difference = float(value(whole_one) - value(whole_two))
    rng = np.random.default_rng(seed)
    tolerance = 1e-12 * max(1.0, abs(difference))
    extreme = 0
    for size in _block_sizes(trials, len(one)):
        moved = rng.integers(2, size=(size, len(one))).astype(np.float64) @ gain
        swapped = value(whole_one + moved) - value(whole_two - moved)
        # Sums in another order differ in the last bits; such a trial is as extreme as what was seen, and so is one
        # whose figure is undefined.
        extreme += int(np.sum(~(np.abs(swapped) < abs(difference) - tolerance)))
    return PairedTest(difference=difference, p_value=(extreme + 1) / (trials + 1), trials=trials, seed=seed)


def _check_pair(first: Statistics, second: Statistics) -> None:
    if first.shape != second.shape:
        raise UserError("Two systems are compared on the same studies with the same metric only")


def _draws(patients: int, resamples: int, seed: int) -> Iterator[npt.NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    for size in _block_sizes(resamples, patients):
        yield rng.multinomial(patients, np.full(patients, 1 / patients), size=size).astype(np.float64)


def _block_sizes(total: int, width: int) -> Iterator[int]:
    block = max(1, _BLOCK // max(1, width))
    for start in range(0, total, block):
        yield min(block, total - start)
