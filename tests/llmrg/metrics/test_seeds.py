"""Spread over seeds, against SciPy."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from llmrg.errors import UserError
from llmrg.metrics.seeds import seed_spread


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.floats(0.5, 0.99))
def test_students_interval(values, confidence):
    spread = seed_spread(values, confidence=confidence)
    assert spread.mean == pytest.approx(np.mean(values))
    assert spread.sd == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    if spread.sd > 1e-9:
        wanted = ttest_1samp(values, 0).confidence_interval(confidence)
        assert (spread.low, spread.high) == pytest.approx((wanted.low, wanted.high))


def test_one_run_has_no_spread():
    spread = seed_spread([0.25])
    assert (spread.mean, spread.sd, spread.low, spread.high) == (0.25, None, None, None)
    assert json.loads(json.dumps(spread.to_mapping()))["t_interval"] is None
    with pytest.raises(UserError, match="no runs"):
        seed_spread([])
