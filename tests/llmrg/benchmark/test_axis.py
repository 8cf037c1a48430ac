from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrg.benchmark.axis import Axis, round_axis


def test_positions_are_percent_of_the_axis_and_stay_inside() -> None:
    axis = Axis(low=-0.1, step=0.05, parts=4)  # from -0.1 to 0.1
    assert [axis.at(value) for value in (-0.1, 0.0, 0.025, 0.1)] == [0, 50, 62.5, 100]
    assert (axis.at(-3), axis.at(3)) == (0, 100)
    assert axis.to_mapping()["zero"] == 50
    assert Axis(low=0.0, step=1, parts=2).to_mapping()["zero"] is None


@pytest.mark.parametrize(
    ("values", "scale", "labels"),
    [
        ([0.81], 100, ["0", "20", "40", "60", "80", "100"]),
        ([0.11, 0.13], 100, ["0", "5", "10", "15"]),
        ([-0.08, 0.12], 100, ["\u221210", "\u22125", "0", "5", "10", "15"]),
        ([1.44], 1, ["0.0", "0.5", "1.0", "1.5"]),
        ([], 100, ["0", "25", "50", "75", "100"]),
        ([0.0], 100, ["0", "25", "50", "75", "100"]),
    ],
)
def test_ends_are_round(values: list[float], scale: float, labels: list[str]) -> None:
    axis = round_axis(values, scale=scale)
    assert [tick["text"] for tick in axis.ticks()] == labels
    assert [tick["at"] for tick in axis.ticks()] == pytest.approx(
        [100 * place / (len(labels) - 1) for place in range(len(labels))], abs=0.01
    )


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8))
def test_every_value_and_zero_lie_on_the_axis(values: list[float]) -> None:
    axis = round_axis(values, scale=100)
    assert 1 <= axis.parts <= 8
    for value in (0.0, *values):
        place = axis.low + axis.at(value) / 100 * (axis.high - axis.low)
        assert place == pytest.approx(value, abs=1e-4 * (axis.high - axis.low))


def test_what_is_no_number_is_left_out_and_nothing_passes_the_most() -> None:
    assert round_axis([math.nan, math.inf, 0.3], scale=100).high == pytest.approx(0.3)
    assert round_axis([1.3, 0.97], scale=100, most=1.0).high == pytest.approx(1.0)
