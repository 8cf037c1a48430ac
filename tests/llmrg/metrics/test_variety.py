"""Variety and length."""

import pytest

from llmrg.metrics.variety import MeanLength, distinct_ratio


def test_distinct_ratio():
    assert distinct_ratio(["a b", "a  b\n", "c", "A b"]) == pytest.approx(3 / 4)
    assert distinct_ratio([""] * 5) == pytest.approx(1 / 5)


def test_mean_length():
    metric = MeanLength()
    statistics = metric.statistics(["a b c", "", "d"], ["x"] * 3)
    assert float(metric.value(statistics.sum(axis=0))) == pytest.approx(4 / 3)
