"""The class table, counted by hand."""

import numpy as np
import pytest

from llmrg.findings.vocabulary import Finding, FindingVocabulary
from llmrg.metrics.clinical_classes import POLARITIES, class_rows
from llmrg.metrics.clinical_statistics import clinical_statistics
from llmrg.metrics.label_states import label_states
from llmrg.metrics.statistics import bootstrap_sums

TWO = FindingVocabulary(
    name="two", findings=tuple(Finding(name=n, observation=n, en=n, zh=n, sided=False) for n in ("edema", "nodule"))
)
SAID = [[1, 0], [0, None], [-1, None], [None, None]]
TRUE = [[1, 0], [1, None], [1, None], [-1, None]]


def test_by_hand():
    states = [label_states(rows, TWO) for rows in (SAID, TRUE)]
    statistics = clinical_statistics(*states, TWO)
    drawn = bootstrap_sums(statistics, patients=list("abcd"), resamples=200, seed=0)
    edema, nodule = class_rows(statistics.sum(axis=0), TWO, resampled=drawn)
    assert list(edema.polarities) == list(POLARITIES)
    positive = edema.polarities["positive"]
    assert (positive.precision, positive.recall, positive.support, positive.stated) == (1, pytest.approx(1 / 3), 3, 1)
    hedged = edema.polarities["positive_or_uncertain"]
    assert (hedged.precision, hedged.recall, hedged.support) == (1, 0.5, 4)
    assert edema.polarities["negative"].precision == 0
    assert edema.agreement == 0.25
    # Observed 1/4; chance (1 x 3 + 1 x 0 + 1 x 1 + 1 x 0) / 16 = 1/4.
    assert edema.kappa == pytest.approx(0)
    assert nodule.polarities["negative"].f1 == 1
    assert nodule.kappa == 1
    low, high = positive.intervals["recall"]
    assert 0 <= low < 1 / 3 < high <= 1
    assert set(edema.intervals) == {"agreement", "kappa"}
    bare = class_rows(statistics.sum(axis=0), TWO)
    assert not bare[0].intervals
    assert bare[0].to_mapping()["positive"]["support"] == 3
    assert np.isclose(bare[0].agreement, edema.agreement)
