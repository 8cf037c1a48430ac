"""Bootstrap and paired tests."""

import math

import numpy as np
import pytest

from llmrg.errors import UserError
from llmrg.metrics.metric import mean_value, scores_as_statistics
from llmrg.metrics.statistics import (
    bootstrap_interval,
    bootstrap_sums,
    difference_interval,
    paired_bootstrap,
    paired_randomisation,
    percentile_bounds,
    sum_patients,
    swapped_sums,
)


def alone(count):
    return [str(i) for i in range(count)]


def test_sums_of_patients():
    sums = sum_patients(np.arange(8.0).reshape(4, 2), ["b", "a", "b", "c"])
    assert sums.tolist() == [[4, 6], [2, 3], [6, 7]]
    with pytest.raises(UserError, match="patients"):
        sum_patients(np.zeros((2, 1)), ["a"])


def test_interval_of_a_mean_is_that_of_theory():
    scores = np.random.default_rng(0).normal(10, 2, size=400)
    interval = bootstrap_interval(
        scores_as_statistics(scores), mean_value, patients=alone(400), resamples=4000, confidence=0.95, seed=1
    )
    error = scores.std() / 20
    assert interval.low == pytest.approx(scores.mean() - 1.96 * error, abs=0.15 * error)
    assert interval.high == pytest.approx(scores.mean() + 1.96 * error, abs=0.15 * error)
    assert (interval.seed, interval.resamples, interval.confidence) == (1, 4000, 0.95)


def test_studies_of_one_patient_are_drawn_together():
    """Ten copies of each study of a patient tell no more than one: the interval must not shrink."""
    scores = np.random.default_rng(0).normal(size=40)
    few = bootstrap_interval(scores_as_statistics(scores), mean_value, patients=alone(40), seed=3)
    copies = scores_as_statistics(np.repeat(scores, 10))
    many = bootstrap_interval(copies, mean_value, patients=[str(i) for i in np.repeat(np.arange(40), 10)], seed=3)
    naive = bootstrap_interval(copies, mean_value, patients=alone(400), seed=3)
    assert (many.low, many.high) == pytest.approx((few.low, few.high))
    assert naive.high - naive.low < 0.5 * (many.high - many.low)


def test_resamples_have_as_many_patients_and_the_seed_decides():
    statistics = scores_as_statistics([1.0] * 30)
    first = bootstrap_sums(statistics, patients=alone(30), resamples=50, seed=4)
    assert first.shape == (50, 2)
    assert (first == 30).all()
    varied = scores_as_statistics(np.arange(30.0))
    draws = [bootstrap_sums(varied, patients=alone(30), resamples=50, seed=seed) for seed in (4, 4, 5)]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()


def test_blocks_do_not_change_the_draws(monkeypatch):
    varied = scores_as_statistics(np.arange(30.0))
    whole = bootstrap_sums(varied, patients=alone(30), resamples=50, seed=4)
    monkeypatch.setattr("llmrg.metrics.statistics._BLOCK", 100)
    assert (bootstrap_sums(varied, patients=alone(30), resamples=50, seed=4) == whole).all()


def test_an_undefined_figure_has_no_interval():
    nothing = bootstrap_interval(np.zeros((5, 1)), lambda sums: np.full(len(sums), np.nan), patients=alone(5))
    assert nothing is None


def test_equal_systems_do_not_differ():
    statistics = scores_as_statistics(np.random.default_rng(0).random(30))
    result = paired_randomisation(statistics, statistics, mean_value, patients=alone(30), trials=500)
    assert (result.difference, result.p_value) == (0, 1)
    interval = difference_interval(statistics, statistics, mean_value, patients=alone(30))
    assert (interval.low, interval.high) == (0, 0)


def test_p_value_equals_all_swaps_counted():
    """Six studies have 64 swaps; the test estimates the share that is as extreme."""
    gains = np.array([0.3, 0.2, 0.4, -0.1, 0.25, 0.35])
    base = np.random.default_rng(1).random(6)
    signs = np.array([[1 - 2 * (swap >> bit & 1) for bit in range(6)] for swap in range(64)])
    exact = np.mean(np.abs(signs @ gains) >= abs(gains.sum()) - 1e-9)
    result = paired_randomisation(
        scores_as_statistics(base + gains), scores_as_statistics(base), mean_value, patients=alone(6), trials=20_000
    )
    assert result.difference == pytest.approx(gains.mean())
    assert result.p_value == pytest.approx(exact, abs=0.01)


def test_a_clear_difference_is_never_certain():
    one, two = scores_as_statistics(np.ones(200)), scores_as_statistics(np.zeros(200))
    result = paired_randomisation(one, two, mean_value, patients=alone(200), trials=99, seed=7)
    assert (result.p_value, result.trials, result.seed) == (0.01, 99, 7)
    one_patient = paired_randomisation(one, two, mean_value, patients=["p"] * 200, trials=99)
    assert one_patient.p_value == 1


def test_an_undefined_difference_is_not_significant():
    statistics = scores_as_statistics(np.ones(5))
    result = paired_randomisation(statistics, statistics, lambda s: s[..., 0] * np.nan, patients=alone(5), trials=9)
    assert np.isnan(result.difference)
    assert result.p_value == 1


def test_different_studies_cannot_be_compared():
    with pytest.raises(UserError, match="same studies"):
        paired_randomisation(np.zeros((3, 2)), np.zeros((4, 2)), mean_value, patients=alone(3))
    with pytest.raises(UserError, match="same studies"):
        difference_interval(np.zeros((3, 2)), np.zeros((4, 2)), mean_value, patients=alone(3))


def test_bounds_of_columns_skip_what_is_undefined():
    values = np.stack([np.arange(101.0), np.full(101, np.nan), np.arange(101.0)], axis=1)
    values[:50, 2] = np.nan
    whole, nothing, half = percentile_bounds(values, confidence=0.9)
    assert nothing is None
    assert (*whole, *half) == pytest.approx((5, 95, 52.5, 97.5))


def test_paired_bootstrap_agrees_with_the_normal_test():
    """For a mean of many differences the shift method is the z test."""
    gains = np.random.default_rng(3).normal(0.1, 1, size=500)
    result = paired_bootstrap(
        scores_as_statistics(gains),
        scores_as_statistics(np.zeros(500)),
        mean_value,
        patients=alone(500),
        resamples=20_000,
    )
    z = gains.mean() / (gains.std() / np.sqrt(500))
    assert result.difference == pytest.approx(gains.mean())
    assert result.p_value == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), abs=0.015)
    same = paired_bootstrap(*[scores_as_statistics(gains)] * 2, mean_value, patients=alone(500), resamples=50)
    assert (same.difference, same.p_value) == (0, 1)


def test_swaps_conserve_the_sum():
    rng = np.random.default_rng(5)
    one, two = rng.random((12, 3)), rng.random((12, 3))
    patients = [str(i // 2) for i in range(12)]
    moved = swapped_sums(one, two, patients=patients, trials=400, seed=0)
    gains = sum_patients(two - one, patients)
    possible = {tuple(np.round(bits @ gains, 9)) for bits in np.array(np.meshgrid(*[[0, 1]] * 6)).reshape(6, -1).T}
    assert {tuple(np.round(row, 9)) for row in moved} <= possible
    assert len({tuple(np.round(row, 9)) for row in moved}) > 50
