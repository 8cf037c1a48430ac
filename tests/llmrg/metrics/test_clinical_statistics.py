"""Statistics of label rows: what each column holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from llmrg.errors import UserError
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.metrics.clinical_protocols import grid_cells
from llmrg.metrics.clinical_statistics import ClinicalScore, class_counts, clinical_statistics, confusion

CHEXPERT = get_vocabulary("chexpert14")
TABLES = st.integers(1, 9).flatmap(
    lambda n: st.tuples(*[arrays.arrays(np.int8, (n, 14), elements=st.integers(0, 3))] * 2)
)


@settings(max_examples=25, deadline=None)
@given(TABLES)
def test_tables_and_counts(pair):
    said, true = pair
    rows = clinical_statistics(said, true, CHEXPERT)
    assert rows.shape == (len(said), 16 * 14 + 16 + 1)
    sums = rows.sum(axis=0)
    assert sums[-1] == len(said)
    table = confusion(sums, CHEXPERT)
    for place in range(14):
        for real in range(4):
            for own in range(4):
                assert table[place, real, own] == np.sum((true[:, place] == real) & (said[:, place] == own))
    for states in ((1,), (1, 3), (2,)):
        own, real = np.isin(said, states), np.isin(true, states)
        wanted = ((own & real).sum(axis=0), own.sum(axis=0), real.sum(axis=0))
        for found, expected in zip(class_counts(sums, CHEXPERT, states), wanted, strict=True):
            np.testing.assert_array_equal(found, expected)


@settings(max_examples=15, deadline=None)
@given(TABLES)
def test_many_sums_at_once(pair):
    rows = clinical_statistics(*pair, CHEXPERT)
    sums = np.stack([rows.sum(axis=0), rows[0], 0 * rows[0]])
    for cell in grid_cells(CHEXPERT):
        score = ClinicalScore(f"{cell.key}/f1", CHEXPERT)
        values = score.value(sums)
        assert not np.isnan(values).any()
        np.testing.assert_allclose(values, [score.value(row) for row in sums], atol=1e-14)


def test_tables_must_fit():
    with pytest.raises(UserError, match="14 classes"):
        clinical_statistics(np.zeros((2, 3), np.int8), np.zeros((2, 3), np.int8), CHEXPERT)
    with pytest.raises(UserError, match="do not fit"):
        clinical_statistics(np.zeros((2, 14), np.int8), np.zeros((3, 14), np.int8), CHEXPERT)
    assert clinical_statistics(np.zeros((0, 14), np.int8), np.zeros((0, 14), np.int8), CHEXPERT).shape == (0, 241)
