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
    "bootstrap_p_value",
    "bootstrap_sums",
    "difference_interval",
    "paired_bootstrap",
    "paired_randomisation",
    "percentile_bounds",
    "percentile_interval",
    "randomisation_p_value",
    "sum_patients",
    "swapped_sums",
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
    """A paired test of two systems.

    Args:
        difference: figure of the first system minus that of the second.
        p_value: ``(c + 1) / (trials + 1)``, c the trials with at least this difference (two-sided); never 0.
        trials: random swaps or resamples tried.
        seed: of the trials.
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
    bounds = percentile_bounds(values[:, None], confidence=confidence)[0]
    if bounds is None:
        return None
    return Interval(low=bounds[0], high=bounds[1], confidence=confidence, resamples=len(values), seed=seed)


def percentile_bounds(values: npt.NDArray[np.float64], *, confidence: float = 0.95) -> list[tuple[float, float] | None]:
    """Return the ends of the interval that holds this share of each column's resampled values.

    Args:
        values: ``[R, K]``, K figures of R resamples; NaN where a figure is undefined.
        confidence: share inside.

    Returns:
        Low and high of each column; None where a column is undefined throughout.
    """
    levels = [(1 - confidence) / 2, (1 + confidence) / 2]
    bounds: list[tuple[float, float] | None] = [None] * values.shape[1]
    undefined = np.isnan(values)
    whole = np.flatnonzero(~undefined.any(axis=0))
    if len(whole) and len(values):
        lows, highs = np.quantile(values[:, whole], levels, axis=0)
        for place, low, high in zip(whole, lows, highs, strict=True):
            bounds[place] = (float(low), float(high))
    for place in np.flatnonzero(undefined.any(axis=0) & ~undefined.all(axis=0)):
        low, high = np.quantile(values[~undefined[:, place], place], levels)
        bounds[place] = (float(low), float(high))
    return bounds


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
    whole_one, whole_two = first.sum(axis=0), second.sum(axis=0)
    difference = float(value(whole_one) - value(whole_two))
    moved = swapped_sums(first, second, patients=patients, trials=trials, seed=seed)
    swapped = value(whole_one + moved) - value(whole_two - moved)
    return PairedTest(
        difference=difference, p_value=randomisation_p_value(difference, swapped), trials=trials, seed=seed
    )


def paired_bootstrap(
    first: Statistics,
    second: Statistics,
    value: Value,
    *,
    patients: Sequence[str],
    resamples: int = 1000,
    seed: int = 0,
) -> PairedTest:
    """Test whether two systems differ by resampling patients (the shift method; Koehn 2004, Riezler and Maxwell 2005).

    Args:
        first: ``[N, S]`` of one system.
        second: ``[N, S]`` of the other, the same studies in the same order.
        value: the figure for sums ``[..., S]``.
        patients: the patient of each study.
        resamples: draws of as many patients as there are.
        seed: of the draws; the same seed as in :func:`difference_interval` draws the same patients.
    """
    _check_pair(first, second)
    width = first.shape[1]
    sums = bootstrap_sums(np.hstack([first, second]), patients=patients, resamples=resamples, seed=seed)
    difference = float(value(first.sum(axis=0)) - value(second.sum(axis=0)))
    differences = value(sums[:, :width]) - value(sums[:, width:])
    return PairedTest(
        difference=difference, p_value=bootstrap_p_value(difference, differences), trials=resamples, seed=seed
    )


def swapped_sums(
    first: Statistics, second: Statistics, *, patients: Sequence[str], trials: int, seed: int
) -> Statistics:
    """Return ``[T, S]``: what each trial adds to the first system's sums (and takes from the second's).

    In each trial a fair coin decides for every patient whether the two systems' outputs are swapped.

    Args:
        first: ``[N, S]`` of one system.
        second: ``[N, S]`` of the other.
        patients: the patient of each study.
        trials: T.
        seed: of the coins; the same seed swaps the same patients for every metric.
    """
    gain = sum_patients(second - first, patients)
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            rng.integers(2, size=(size, len(gain)), dtype=np.uint8).astype(np.float64) @ gain
            for size in _block_sizes(trials, len(gain))
        ]
    )


def randomisation_p_value(difference: float, swapped: npt.NDArray[np.float64]) -> float:
    """Return ``(c + 1) / (T + 1)``, c the trials that differ at least as much (Noreen 1989, Edgington).

    Args:
        difference: what was observed.
        swapped: the difference in each trial ``[T]``.
    """
    # Sums in another order differ in the last bits; such a trial is as extreme as what was seen, and so is one whose
    # figure is undefined.
    tolerance = 1e-12 * max(1.0, abs(difference))
    extreme = int(np.sum(~(np.abs(swapped) < abs(difference) - tolerance)))
    return (extreme + 1) / (len(swapped) + 1)


def bootstrap_p_value(difference: float, resampled: npt.NDArray[np.float64]) -> float:
    """Return ``(c + 1) / (R + 1)``, c the resamples whose distance from their mean is at least the difference.

    Args:
        difference: what was observed.
        resampled: the difference in each resample ``[R]``.
    """
    defined = resampled[~np.isnan(resampled)]
    centre = defined.mean() if len(defined) else 0.0
    return randomisation_p_value(difference, resampled - centre)


def _check_pair(first: Statistics, second: Statistics) -> None:
    if first.shape != second.shape:
        raise UserError("Two systems are compared on the same studies with the same metric only")


def _draws(patients: int, resamples: int, seed: int) -> Iterator[npt.NDArray[np.float64]]:
    # How often each patient is drawn; counting drawn places is many times faster than drawing multinomial counts.
    rng = np.random.default_rng(seed)
    for size in _block_sizes(resamples, patients):
        counts = np.empty((size, patients))
        for row in counts:
            row[:] = np.bincount(rng.integers(patients, size=patients), minlength=patients)
        yield counts


def _block_sizes(total: int, width: int) -> Iterator[int]:
    block = max(1, _BLOCK // max(1, width))
    for start in range(0, total, block):
        yield min(block, total - start)
