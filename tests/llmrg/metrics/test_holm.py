"""Holm's correction: by hand and by its definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrg.metrics.holm import holm


def test_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == [1, 1]
    assert holm([]) == []


def test_untested_figures_do_not_count():
    assert holm([0.02, None, 0.03]) == [0.04, None, 0.04]


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=12), st.floats(0.001, 0.5))
def test_rejects_what_the_step_down_rule_rejects(values, level):
    """Holm 1979: go up from the smallest, stop at the first that exceeds level / (m - rank)."""
    rejected = set()
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        if values[place] * (len(values) - rank) > level:
            break
        rejected.add(place)
    assert {place for place, value in enumerate(holm(values)) if value <= level} == rejected
