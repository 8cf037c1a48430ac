"""Is a stated probability meant: reliability table, expected calibration error, Brier score and its parts.

Sources: reliability table and expected calibration error, Naeini et al., AAAI 2015, and Guo et al., ICML 2017,
equation 3; parts of the Brier score, Murphy, J. Appl. Meteorology 12, 1973, with the two parts within bins of
Stephenson et al., Weather and Forecasting 23, 2008, without which they add up only for forecasts that are equal
within a bin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from llmrg.errors import UserError
from llmrg.metrics.metric import Statistics, require_pairs

__all__ = [
    "CALIBRATION_FIGURES",
    "CalibrationScore",
    "Edges",
    "calibration_figures",
    "calibration_statistics",
    "equal_mass_edges",
    "equal_width_edges",
    "reliability_table",
]

Floats = npt.NDArray[np.float64]
Edges = Floats
"""``[K + 1]``, rising from 0 to 1: bin k holds probabilities from edge k on, below edge k + 1; the last one also 1."""

CALIBRATION_FIGURES = (
    *("ece", "brier", "reliability", "resolution", "uncertainty", "within_variance", "within_covariance"),
    *("mean_probability", "frequency"),
)
_COLUMNS = 5  # cases, sum of p, sum of p squared, cases that are true, sum of p over them


def equal_width_edges(bins: int = 10) -> Edges:
    """Return the edges of equally wide bins.

    Raises:
        ValueError: fewer than one bin.
    """
    if bins < 1:
        raise ValueError(f"there must be at least one bin, not {bins}")
    return np.linspace(0.0, 1.0, bins + 1)


def equal_mass_edges(probabilities: npt.ArrayLike, bins: int = 10) -> Edges:
    """Return the edges of bins that hold equally many of these probabilities.

    Edges lie in the middle between neighbouring values. Where equal values fall on an edge it is moved behind them,
    so that there may be fewer bins.

    Args:
        probabilities: any shape; NaN is left out.
        bins: as many, at most.

    Raises:
        ValueError: fewer than one bin.
    """
    if bins < 1:
        raise ValueError(f"there must be at least one bin, not {bins}")
    values = np.sort(np.ravel(np.asarray(probabilities, dtype=np.float64)))
    values = values[~np.isnan(values)]
    edges = [0.0]
    for number in range(1, bins):
        place = round(number * len(values) / bins)
        while 0 < place < len(values) and values[place] == values[place - 1]:
            place += 1
        if 0 < place < len(values):
            edge = (values[place - 1] + values[place]) / 2
            # The middle of two neighbouring numbers may be the lower one.
            edge = edge if edge > values[place - 1] else values[place]
            if edge > edges[-1]:
                edges.append(float(edge))
    return np.array([*edges, 1.0])


def calibration_statistics(
    probabilities: Sequence[Sequence[float]] | Floats, outcomes: Sequence[Sequence[bool]] | Floats, edges: Edges
) -> Statistics:
    """Return what each study adds to every bin, ``[N, 5 K]``.

    Args:
        probabilities: [N, M], M stated probabilities a study; NaN where there is none.
        outcomes: [N, M], 1 where what was stated is so, else 0.
        edges: of the K bins.

    Raises:
        ValueError: tables of different shapes.
        UserError: a probability outside of 0 to 1.
    """
    p, o = np.asarray(probabilities, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if p.shape != o.shape or p.ndim != 2:
        raise ValueError(f"probabilities {p.shape} and outcomes {o.shape} must be two tables of one shape")
    known = ~np.isnan(p)
    if ((p < 0) | (p > 1)).any():
        raise UserError("A probability must lie between 0 and 1", got=str(float(p[(p < 0) | (p > 1)][0])))
    bins = len(edges) - 1
    rows, columns = np.nonzero(known)
    values, true = p[rows, columns], o[rows, columns]
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bins - 1)
    sums = np.zeros((len(p), bins, _COLUMNS))
    np.add.at(sums, (rows, place), np.stack([np.ones_like(values), values, values**2, true, values * true], axis=1))
    return sums.reshape(len(p), bins * _COLUMNS)


def calibration_figures(sums: Statistics) -> dict[str, Any]:
    """Return all of :data:`CALIBRATION_FIGURES` for sums ``[..., 5 K]``, each ``[...]``; NaN without any case.

    ``ece`` is the mean distance of stated and observed probability over the bins, weighted by their cases. ``brier``,
    the mean square of probability minus outcome, is reliability - resolution + uncertainty + within_variance -
    within_covariance.
    """
    sums = np.asarray(sums, dtype=np.float64)
    cases, total, square, true, product = np.moveaxis(
        sums.reshape(*sums.shape[:-1], sums.shape[-1] // _COLUMNS, _COLUMNS), -1, 0
    )
    count = cases.sum(axis=-1)
    weight = _ratio(cases, count[..., None])
    stated, observed = _ratio(total, cases), _ratio(true, cases)
    base = _ratio(true.sum(axis=-1), count)
    figures: dict[str, Any] = {
        "ece": (weight * np.abs(stated - observed)).sum(axis=-1),
        "brier": _ratio((square - 2 * product + true).sum(axis=-1), count),
        "reliability": (weight * (stated - observed) ** 2).sum(axis=-1),
        "resolution": (weight * (observed - base[..., None]) ** 2).sum(axis=-1),
        "uncertainty": base * (1 - base),
        "within_variance": (weight * (_ratio(square, cases) - stated**2)).sum(axis=-1),
        "within_covariance": (weight * 2 * (_ratio(product, cases) - stated * observed)).sum(axis=-1),
        "mean_probability": _ratio(total.sum(axis=-1), count),
        "frequency": base,
    }
    return {name: np.where(count > 0, value, np.nan) for name, value in figures.items()}


def reliability_table(sums: Statistics, edges: Edges) -> list[dict[str, float | int]]:
    """Return the bins that hold cases: edges, cases, mean stated probability, observed frequency.

    Args:
        sums: of :func:`calibration_statistics` over studies ``[5 K]``.
        edges: of the K bins.
    """
    table = np.asarray(sums, dtype=np.float64).reshape(-1, _COLUMNS)
    return [
        {
            "low": float(edges[place]),
            "high": float(edges[place + 1]),
            "cases": int(cases),
            "mean_probability": float(total / cases),
            "frequency": float(true / cases),
        }
        for place, (cases, total, _, true, _) in enumerate(table)
        if cases > 0
    ]


class CalibrationScore:
    """One figure of calibration.

    Args:
        figure: one of :data:`CALIBRATION_FIGURES`.
        edges: of the bins; the same ones in every resample.

    Raises:
        UserError: an unknown figure.
    """

    family = "calibration"

    def __init__(self, figure: str, edges: Edges) -> None:
        if figure not in CALIBRATION_FIGURES:
            raise UserError(f"Unknown figure {figure!r}", allowed=CALIBRATION_FIGURES, got=figure)
        self.name = figure
        self.edges = edges

    def statistics(self, hypotheses: Sequence[Sequence[float]], references: Sequence[Sequence[bool]]) -> Statistics:
        """Return :func:`calibration_statistics` of stated probabilities and what is so."""
        require_pairs(hypotheses, references)
        return calibration_statistics(hypotheses, references, self.edges)

    def value(self, sums: Statistics) -> Any:
        """Return the figure for sums of statistics ``[..., 5 K]``: shape ``[...]``."""
        return calibration_figures(sums)[self.name]


def _ratio(part: Any, whole: Any) -> Floats:
    part = np.asarray(part, dtype=np.float64)
    whole = np.broadcast_to(np.asarray(whole, dtype=np.float64), part.shape)
    result: Floats = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return result
