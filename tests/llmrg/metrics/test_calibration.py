"""Calibration against plain loops over the definitions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from llmrg.errors import UserError
from llmrg.metrics.calibration import (
    CALIBRATION_FIGURES,
    CalibrationScore,
    calibration_figures,
    calibration_statistics,
    equal_mass_edges,
    equal_width_edges,
    reliability_table,
)
from llmrg.metrics.statistics import bootstrap_interval, bootstrap_sums

PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=60)


def by_definition(p: np.ndarray, o: np.ndarray, edges: np.ndarray) -> dict[str, float]:
    """Bin by bin, from the formulas of the sources."""
    bins = [
        (p >= low) & ((p < high) | (number == len(edges) - 2)) for number, (low, high) in enumerate(pairwise(edges))
    ]
    found = dict.fromkeys(("ece", "reliability", "resolution", "within_variance", "within_covariance"), 0.0)
    assert sum(chosen.sum() for chosen in bins) == len(p)
    for chosen in bins:
        if not chosen.any():
            continue
        share, stated, seen = chosen.mean(), p[chosen].mean(), o[chosen].mean()
        found["ece"] += share * abs(stated - seen)
        found["reliability"] += share * (stated - seen) ** 2
        found["resolution"] += share * (seen - o.mean()) ** 2
        found["within_variance"] += share * np.mean((p[chosen] - stated) ** 2)
        found["within_covariance"] += share * 2 * np.mean((p[chosen] - stated) * (o[chosen] - seen))
    return found | {
        "brier": float(np.mean((p - o) ** 2)),
        "uncertainty": o.mean() * (1 - o.mean()),
        "mean_probability": p.mean(),
        "frequency": o.mean(),
    }


@settings(max_examples=80, deadline=None)
@given(PROBABILITIES, st.integers(0, 1000), st.integers(1, 12), st.booleans())
def test_equal_to_the_definitions_and_parts_add_up(values, seed, bins, mass) -> None:
    p = np.array(values)
    o = np.random.default_rng(seed).integers(0, 2, size=len(p)).astype(float)
    edges = equal_mass_edges(p, bins) if mass else equal_width_edges(bins)
    figures = calibration_figures(calibration_statistics(p[:, None], o[:, None], edges).sum(axis=0))
    expected = by_definition(p, o, edges)
    assert figures.keys() == expected.keys() == set(CALIBRATION_FIGURES)
    for name, value in expected.items():
        assert float(figures[name]) == pytest.approx(value, abs=1e-10), name
    parts = (
        figures["reliability"]
        - figures["resolution"]
        + figures["uncertainty"]
        + figures["within_variance"]
        - figures["within_covariance"]
    )
    assert float(parts) == pytest.approx(float(figures["brier"]), abs=1e-10)
    assert float(figures["brier"]) == pytest.approx(brier_score_loss(o, p), abs=1e-10) or len(set(o)) == 1


@settings(max_examples=80, deadline=None)
@given(PROBABILITIES, st.integers(1, 12))
def test_bins_of_equal_mass_hold_equally_many(values, bins) -> None:
    edges = equal_mass_edges(values, bins)
    assert edges[0] == 0
    assert edges[-1] == 1
    assert len(edges) <= bins + 1
    assert (np.diff(edges) >= 0).all()
    table = reliability_table(
        calibration_statistics(np.array(values)[:, None], np.zeros((len(values), 1)), edges).sum(axis=0), edges
    )
    counts = [line["cases"] for line in table]
    assert sum(counts) == len(values)
    if len(set(values)) == len(values) >= bins and min(np.diff(sorted(values)), default=1) > 1e-12:
        assert len(counts) == bins
        assert max(counts) - min(counts) <= 1


def test_equal_values_stay_in_one_bin() -> None:
    values = [0.2] * 7 + [0.9] * 3
    edges = equal_mass_edges(values, 5)
    assert len(edges) == 3
    assert 0.2 < edges[1] <= 0.9
    assert list(equal_mass_edges([], 4)) == [0, 1]
    assert list(equal_mass_edges([0.0, 0.0], 4)) == [0, 1]


def test_a_forecast_that_means_what_it_says_has_no_error() -> None:
    rng = np.random.default_rng(0)
    p = rng.random((20_000, 1))
    o = (rng.random(p.shape) < p).astype(float)
    figures = calibration_figures(calibration_statistics(p, o, equal_width_edges()).sum(axis=0))
    assert figures["ece"] < 0.02
    bold = calibration_figures(calibration_statistics((p > 0.5).astype(float), o, equal_width_edges()).sum(axis=0))
    assert bold["ece"] == pytest.approx(0.25, abs=0.02)


def test_edges_belong_to_the_upper_bin_and_one_to_the_last() -> None:
    edges = equal_width_edges(4)
    table = reliability_table(
        calibration_statistics([[0.0], [0.25], [0.5], [1.0]], [[0], [1], [0], [1]], edges).sum(axis=0), edges
    )
    assert [(line["low"], line["high"], line["cases"]) for line in table] == [
        (0, 0.25, 1),
        (0.25, 0.5, 1),
        (0.5, 0.75, 1),
        (0.75, 1, 1),
    ]
    assert [line["frequency"] for line in table] == [0, 1, 0, 1]


def test_what_is_not_stated_does_not_count() -> None:
    p = [[0.3, np.nan], [np.nan, np.nan], [0.7, 0.1]]
    rows = calibration_statistics(p, [[1, 1], [0, 0], [1, 0]], equal_width_edges(10))
    assert rows[1].sum() == 0
    figures = calibration_figures(rows.sum(axis=0))
    assert float(figures["brier"]) == pytest.approx((0.49 + 0.09 + 0.01) / 3)
    assert np.isnan(calibration_figures(rows[1])["ece"])


def test_resamples_are_sums_of_whole_patients() -> None:
    rng = np.random.default_rng(2)
    p, o = rng.random((12, 3)), rng.integers(0, 2, size=(12, 3)).astype(float)
    patients = [str(n // 3) for n in range(12)]
    score = CalibrationScore("ece", equal_width_edges(5))
    rows = score.statistics(p, o)
    sums = bootstrap_sums(rows, patients=patients, resamples=4, seed=5)
    assert score.value(sums).shape == (4,)
    draws = np.random.default_rng(5)
    chosen = np.concatenate([np.arange(12).reshape(4, 3)[n] for n in draws.integers(4, size=4)])
    expected = by_definition(p[chosen].ravel(), o[chosen].ravel(), score.edges)["ece"]
    assert float(score.value(sums)[0]) == pytest.approx(expected)
    interval = bootstrap_interval(rows, score.value, patients=patients, resamples=50)
    assert interval is not None
    assert interval.low <= interval.high


def test_nonsense_is_refused() -> None:
    with pytest.raises(UserError, match="between 0 and 1"):
        calibration_statistics([[1.5]], [[1]], equal_width_edges())
    with pytest.raises(ValueError, match="shape"):
        calibration_statistics([[0.5, 0.5]], [[1]], equal_width_edges())
    with pytest.raises(UserError, match="ece"):
        CalibrationScore("eces", equal_width_edges())
    for make in (equal_width_edges, lambda n: equal_mass_edges([0.5], n)):
        with pytest.raises(ValueError, match="bin"):
            make(0)
