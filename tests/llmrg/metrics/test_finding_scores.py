"""Figures over findings: counted by hand, against scikit-learn and against golden figures."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from llmrg.errors import UserError
from llmrg.findings.vocabulary import Finding, FindingVocabulary
from llmrg.metrics.finding_scores import FINDING_FIGURES, FindingScore, finding_statistics, per_class_scores


def make_vocabulary(names, *, sided=(), normal=()):
    return FindingVocabulary(
        name="test",
        findings=tuple(Finding(name=n, observation=n, en=n, zh=n, sided=n in sided, normal=n in normal) for n in names),
    )


VOCABULARY = make_vocabulary(
    ["effusion", "nodule", "edema", "fracture", "none"], sided=["effusion", "nodule"], normal=["none"]
)
TRUE = [{"effusion": "left", "edema": None}, {"none": None}, {"nodule": None}, {"effusion": "right"}]
SAID = [{"effusion": "left", "nodule": "left"}, {"none": None}, {"nodule": "right"}, {"effusion": "bilateral"}]


def figures(predicted, true, vocabulary=VOCABULARY):
    rows = finding_statistics(predicted, true, vocabulary)
    return {name: float(FindingScore(name, vocabulary).value(rows.sum(axis=0))) for name in FINDING_FIGURES}


def test_by_hand():
    # effusion: 2 hits; nodule: 1 hit, 1 wrong; edema: 1 missed; fracture: never.
    found = figures(SAID, TRUE)
    assert found["clinical_micro_precision"] == pytest.approx(3 / 4)
    assert found["clinical_micro_recall"] == pytest.approx(3 / 4)
    assert found["clinical_micro_f1"] == pytest.approx(3 / 4)
    assert found["clinical_macro_f1"] == pytest.approx((1 + 2 / 3 + 0 + 0) / 4)
    assert found["clinical_macro_f1_supported"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found["side_accuracy"] == pytest.approx(1 / 2)  # left and right effusion; the nodule's side is not stated
    assert found["clinical_strict_f1"] == pytest.approx(2 * 2 / (2 * 2 + 2 + 2))


def test_per_class():
    rows = finding_statistics(SAID, TRUE, VOCABULARY)
    classes = per_class_scores(rows.sum(axis=0), VOCABULARY)
    assert list(classes) == ["effusion", "nodule", "edema", "fracture"]
    assert classes["nodule"] == {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1}
    assert classes["fracture"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}


def test_saying_nothing_scores_zero_and_has_no_side():
    found = figures([{}] * 4, TRUE)
    assert np.isnan(found.pop("side_accuracy"))
    assert set(found.values()) == {0.0}


def test_truth_repeated_scores_one():
    found = figures(TRUE, TRUE)
    assert found.pop("clinical_macro_f1") == pytest.approx(3 / 4)  # no study has a fracture
    assert set(found.values()) == {1.0}


def test_a_side_of_a_finding_without_sides_does_not_matter():
    assert figures([{"edema": "left"}], [{"edema": "right"}])["clinical_strict_f1"] == 1


def test_many_sums_at_once():
    rows = finding_statistics(SAID, TRUE, VOCABULARY)
    sums = np.stack([rows.sum(axis=0), rows[:2].sum(axis=0), rows[1]])
    for name in FINDING_FIGURES:
        score = FindingScore(name, VOCABULARY)
        np.testing.assert_array_equal(score.value(sums), [score.value(row) for row in sums])


def test_unknown_findings_and_figures():
    with pytest.raises(UserError, match="'nodule'"):
        finding_statistics([{"nodul": None}], [{}], VOCABULARY)
    with pytest.raises(UserError, match="clinical_micro_f1"):
        FindingScore("micro_f1", VOCABULARY)
    with pytest.raises(ValueError, match="shorter"):
        finding_statistics([], [{}], VOCABULARY)


def test_against_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    names = [f"f{i}" for i in range(7)]
    vocabulary = make_vocabulary(names)
    true, said = rng.random((50, 7)) < 0.2, rng.random((50, 7)) < 0.3
    true[:, 6] = False

    def as_findings(table):
        return [{name: None for name, there in zip(names, row, strict=True) if there} for row in table]

    found = figures(as_findings(said), as_findings(true), vocabulary)
    for average in ("micro", "macro"):
        wanted = sklearn.f1_score(true, said, average=average, zero_division=0)
        assert found[f"clinical_{average}_f1"] == pytest.approx(wanted)
    assert found["clinical_micro_precision"] == pytest.approx(sklearn.precision_score(true, said, average="micro"))
    assert found["clinical_micro_recall"] == pytest.approx(sklearn.recall_score(true, said, average="micro"))


@pytest.mark.parametrize(
    ("positive", "classes", "micro", "macro"),
    [
        ({1}, 14, (0.625, 0.416666667, 0.5), 0.214285714),
        ({1}, 5, (0.25, 0.25, 0.25), 0.133333333),
        ({1, -1}, 14, (0.818181818, 0.5625, 0.666666667), 0.428571429),
        ({1, -1}, 5, (0.714285714, 0.833333333, 0.769230769), 0.733333333),
    ],
)
def test_golden_clinical_efficacy(positive, classes, micro, macro):
    """Figures that scikit-learn gave for six label rows of CheXbert's form."""
    root = os.environ.get("LLMRG_TEST_DATA")
    path = Path(root or "", "golden", "golden_ce.json")
    if not root or not path.is_file():
        pytest.skip("golden scores need LLMRG_TEST_DATA")
    golden = json.loads(path.read_text(encoding="utf-8"))
    chosen = range(14) if classes == 14 else (1, 4, 5, 7, 9)
    vocabulary = make_vocabulary([golden["labels"][i] for i in chosen])

    def as_findings(rows):
        return [{golden["labels"][i]: None for i in chosen if row[i] in positive} for row in rows]

    found = figures(as_findings(golden["hyp"]), as_findings(golden["ref"]), vocabulary)
    names = ("clinical_micro_precision", "clinical_micro_recall", "clinical_micro_f1")
    assert tuple(found[name] for name in names) == pytest.approx(micro, abs=1e-8)
    assert found["clinical_macro_f1"] == pytest.approx(macro, abs=1e-8)
