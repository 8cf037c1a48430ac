"""Agreement of label tables: published kappa, scikit-learn, shipped labels."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.errors import UserError
from llmrg.findings.vocabulary import Finding, FindingVocabulary, get_vocabulary
from llmrg.metrics.agreement import label_agreement

ONE = FindingVocabulary(name="one", findings=(Finding(name="edema", observation="edema", en="", zh="", sided=False),))


def test_cohens_example():
    """A table of 20, 5, 10 and 15: observed 0.70, expected 0.50, kappa 0.40."""
    pairs = [(1, 1)] * 20 + [(1, None)] * 5 + [(None, 1)] * 10 + [(None, None)] * 15
    found = label_agreement([[a] for a, _ in pairs], [[b] for _, b in pairs], ONE, resamples=200)
    row = found.classes[0]
    assert row.figures["kappa"] == pytest.approx(0.4)
    assert row.figures["kappa_positive"] == pytest.approx(0.4)
    assert row.figures["agreement"] == pytest.approx(0.7)
    assert (row.figures["prevalence_first"], row.figures["prevalence_second"]) == (0.5, 0.6)
    low, high = row.intervals["kappa"]
    # The standard error of kappa is 0.127 here (Fleiss, Cohen and Everitt 1969).
    assert low == pytest.approx(0.4 - 1.96 * 0.127, abs=0.06)
    assert high == pytest.approx(0.4 + 1.96 * 0.127, abs=0.06)
    assert row.table[1][0] == 5
    assert found.mean_kappa == pytest.approx(0.4)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from([1, 0, -1, None])] * 2), min_size=1, max_size=30))
def test_parity_with_scikit_learn(pairs):
    sklearn = pytest.importorskip("sklearn.metrics")
    first, second = [[a] for a, _ in pairs], [[b] for _, b in pairs]
    row = label_agreement(first, second, ONE, resamples=0).classes[0]
    for name, code in (("kappa", str), ("kappa_positive", lambda label: label == 1)):
        coded = [[code(label) for (label,) in rows] for rows in (first, second)]
        if len(set(coded[0] + coded[1])) == 1:
            assert row.figures[name] is None
        else:
            assert row.figures[name] == pytest.approx(sklearn.cohen_kappa_score(*coded), abs=1e-12)
    json.dumps(row.to_mapping(), allow_nan=False)


def test_studies_without_labels_are_left_out_and_counted():
    ours = [{"Edema": 1}, {"Edema": 1}, {}]
    shipped = [{"Edema": 1.0, "Fracture": 0.0}, None, {}]
    found = label_agreement(
        ours, shipped, get_vocabulary("chexpert14"), names=("rules", "shipped"), patients=["a", "b", "c"], resamples=20
    )
    assert (found.n, found.left_out, found.first) == (2, 1, "rules")
    rows = {row.finding: row for row in found.classes}
    assert rows["Edema"].figures["kappa"] == 1
    assert rows["Fracture"].figures["agreement"] == 0.5
    assert rows["Pneumonia"].figures["kappa"] is None
    assert np.sum(found.overall.table) == 28
    assert json.loads(json.dumps(found.to_mapping(), allow_nan=False))["n"] == 2


def test_refusals():
    with pytest.raises(UserError, match="came with"):
        label_agreement([{}], [], ONE)
    with pytest.raises(UserError, match="No report"):
        label_agreement([{}], [None], ONE)
    with pytest.raises(UserError, match="'edema'"):
        label_agreement([{"edem": 1}], [{}], ONE)
