"""The clinical grid: golden figures, scikit-learn, properties."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.errors import UserError
from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.metrics.clinical_efficacy import PROTOCOLS, clinical_grid
from llmrg.metrics.clinical_protocols import CHEXPERT_FIVE, grid_cells
from llmrg.metrics.clinical_statistics import ClinicalScore

CHEXPERT = get_vocabulary("chexpert14")
PEDIATRIC = get_vocabulary("ped_xray")
ROW_KEYS = ("precision", "recall", "f1")
LABELS = st.sampled_from([1, 0, -1, None])


def tables(columns):
    rows = st.lists(
        st.tuples(*(st.lists(LABELS, min_size=columns, max_size=columns) for _ in range(2))), min_size=1, max_size=12
    )
    return rows.map(lambda pairs: ([own for own, _ in pairs], [true for _, true in pairs]))


def positive(rows, uncertain):
    counted = {1, -1} if uncertain == "positive" else {1}
    return np.array([[label in counted for label in row] for row in rows])


def figures(row):
    return tuple(getattr(row, name) for name in ROW_KEYS)


def test_every_golden_figure(test_data):
    golden = json.loads((test_data / "golden/golden_ce.json").read_text(encoding="utf-8"))
    assert list(CHEXPERT.names) == golden["labels"]
    grid = clinical_grid(golden["hyp"], golden["ref"], CHEXPERT)
    uncertain = {"positive_only": "negative", "uncertain_positive": "positive"}
    checked = 0
    for name, expected in golden["scores"].items():
        reading, classes, average = name.split("/")
        empty = 1.0 if average == "example_empty1_f1" else 0.0
        wanted = "example" if average in ("samples", "example", "example_empty1_f1") else average
        rows = [
            row
            for row in grid.rows
            if (row.uncertain, row.classes) == (uncertain[reading], classes)
            and (row.average == wanted or (row.average == "binary-mean" and wanted == "macro"))
            and (wanted != "example" or PROTOCOLS[row.protocol].empty == empty)
        ]
        assert rows, name
        for row in rows:
            if average == "example_empty1_f1":
                assert row.f1 == pytest.approx(expected, abs=1e-9)
            else:
                assert figures(row) == pytest.approx(tuple(expected), abs=1e-9)
            checked += 1
    assert checked >= len(golden["scores"])
    assert {row.key for row in grid.rows} >= {"r2gen/14/macro", "micro14-pos/14/micro", "wcl/14/binary-mean"}


def test_by_hand():
    """Effusion is named rightly and edema in vain; an opacity that is there is hedged; one report is empty."""
    said = [{"Pleural Effusion": 1, "Edema": 1}, {"Lung Opacity": -1}, {}]
    true = [{"Pleural Effusion": 1, "Fracture": 0}, {"Lung Opacity": 1}, {}]
    grid = clinical_grid(said, true, CHEXPERT)
    assert figures(grid.row("r2gen/14/micro")) == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert figures(grid.row("rrg/14/micro")) == pytest.approx((2 / 3, 1, 4 / 5))
    assert figures(grid.row("r2gen/14/macro")) == pytest.approx((1 / 14, 1 / 14, 1 / 14))
    assert figures(grid.row("wcl/14/binary-mean")) == pytest.approx((2 / 14, 2 / 14, 2 / 14))
    assert figures(grid.row("example/14/example")) == pytest.approx((1 / 6, 1 / 3, 2 / 9))
    assert figures(grid.row("example1-pos/14/example")) == pytest.approx((1 / 6 + 1 / 3, 2 / 3, 2 / 9 + 1 / 3))
    classes = {row.finding: row for row in grid.classes}
    assert classes["Lung Opacity"].polarities["positive_or_uncertain"].f1 == 1
    assert classes["Lung Opacity"].polarities["positive"].support == 1
    assert classes["Lung Opacity"].agreement == pytest.approx(2 / 3)
    assert classes["Fracture"].polarities["negative"].recall == 0
    assert classes["Fracture"].polarities["negative"].support == 1
    assert classes["Pneumonia"].kappa is None
    assert classes["Pleural Effusion"].kappa == 1


@settings(max_examples=25, deadline=None)
@given(tables(14))
def test_parity_with_scikit_learn(pair):
    sklearn = pytest.importorskip("sklearn.metrics")
    said, true = pair
    grid = clinical_grid(said, true, CHEXPERT)
    names = {"micro": "micro", "macro": "macro", "weighted": "weighted", "binary-mean": "macro", "example": "samples"}
    places = {"14": list(range(14)), "5": [CHEXPERT.names.index(name) for name in CHEXPERT_FIVE]}
    for row in grid.rows:
        own, other = (positive(rows, row.uncertain)[:, places[row.classes]] for rows in (said, true))
        wanted = np.array(
            sklearn.precision_recall_fscore_support(other, own, average=names[row.average], zero_division=0)[:3]
        )
        if row.protocol.startswith("example1"):
            wanted += np.mean(~own.any(axis=1) & ~other.any(axis=1))
        assert figures(row) == pytest.approx(tuple(wanted), abs=1e-12), row.key
    for place, row in enumerate(grid.classes):
        for polarity, counted in (("positive", 1), ("negative", 0), ("uncertain", -1)):
            own, other = ([report[place] == counted for report in rows] for rows in (said, true))
            wanted = sklearn.precision_recall_fscore_support(other, own, average="binary", zero_division=0)[:3]
            assert figures(row.polarities[polarity]) == pytest.approx(wanted, abs=1e-12)
            assert row.polarities[polarity].support == sum(other)


@settings(max_examples=25, deadline=None)
@given(tables(12), st.randoms(use_true_random=False))
def test_properties(pair, random):
    said, true = pair
    grid = clinical_grid(said, true, PEDIATRIC, resamples=20)
    order = random.sample(range(len(said)), len(said))
    mixed = clinical_grid([said[i] for i in order], [true[i] for i in order], PEDIATRIC)
    for row, other in zip(grid.rows, mixed.rows, strict=True):
        assert figures(row) == pytest.approx(figures(other), abs=1e-12)
        for name in ROW_KEYS:
            assert 0 <= getattr(row, name) <= 1 + 1e-12
            low, high = row.intervals[name]
            assert 0 <= low <= high <= 1 + 1e-12
    json.dumps(grid.to_mapping(), allow_nan=False)  # nothing undefined
    # Statistics of parts are rows of the statistics of the whole.
    half = len(said) // 2
    if half:
        part = clinical_grid(said[:half], true[:half], PEDIATRIC)
        assert (grid.statistics[:half] == part.statistics).all()
    exact = clinical_grid(true, true, PEDIATRIC)
    for row in exact.rows:
        if row.average == "micro":
            assert row.f1 == (1 if positive(true, row.uncertain).any() else 0)


def test_all_empty_and_one_report():
    empty = clinical_grid([{}], [{}], CHEXPERT, resamples=10)
    for row in empty.rows:
        assert figures(row) == ((1, 1, 1) if row.protocol.startswith("example1") else (0, 0, 0))
    assert all(row.kappa is None and row.agreement == 1 for row in empty.classes)
    assert json.loads(json.dumps(empty.to_mapping(), allow_nan=False))["n"] == 1


def test_any_form_of_labels_is_the_same():
    mention = Mention(finding="Edema", polarity="uncertain")
    vector = [None] * 14
    vector[4] = -1
    forms = [{"Edema": mention}, {"Edema": -1.0, "Fracture": math.nan}, vector]
    grids = [clinical_grid([form], [vector], CHEXPERT) for form in forms]
    assert all((grid.statistics == grids[0].statistics).all() for grid in grids)
    table = np.array([[math.nan if label is None else label for label in vector]])
    assert clinical_grid(table, table, CHEXPERT).row("rrg/14/micro").f1 == 1


def test_headline_and_names():
    assert clinical_grid([{}], [{}], CHEXPERT).headline.key == "r2gen/14/macro"
    assert clinical_grid([{}], [{}], PEDIATRIC).headline.key == "r2gen/all/micro"
    chosen = clinical_grid([{}], [{}], CHEXPERT, headline="rrg/5/micro")
    assert [row.key for row in chosen.rows if row.headline] == ["rrg/5/micro"]
    assert chosen.to_mapping()["rows"][0]["classes"] == 14
    for vocabulary in (CHEXPERT, PEDIATRIC):
        keys = [cell.key for cell in grid_cells(vocabulary)]
        assert len(keys) == len(set(keys))


def test_intervals_are_of_patients():
    rng = np.random.default_rng(5)
    said, true = ([rng.choice([1, 0, -1, math.nan], size=14).tolist() for _ in range(40)] for _ in range(2))
    few = clinical_grid(said, true, CHEXPERT, resamples=300, seed=3)
    copies = clinical_grid(
        said * 9, true * 9, CHEXPERT, resamples=300, seed=3, patients=[str(i) for i in range(40)] * 9
    )
    naive = clinical_grid(said * 9, true * 9, CHEXPERT, resamples=300, seed=3)
    for small, grouped, alone in zip(few.rows, copies.rows, naive.rows, strict=True):
        assert grouped.intervals["f1"] == pytest.approx(small.intervals["f1"], abs=1e-12)
        widths = [row.intervals["f1"][1] - row.intervals["f1"][0] for row in (small, alone)]
        assert widths[1] < 0.6 * widths[0]


def test_a_figure_as_metric():
    said, true = [{"Edema": 1}, {}], [{"Edema": 1}, {"Edema": 1}]
    score = ClinicalScore("r2gen/14/micro/recall", CHEXPERT)
    rows = score.statistics(said, true)
    assert score.value(rows.sum(axis=0)) == 0.5
    assert score.value(np.stack([rows[0], rows[1], rows.sum(axis=0)])).tolist() == [1, 0, 0.5]


def test_refusals():
    for call, match in (
        (lambda: clinical_grid([{}], [], CHEXPERT), "1 label rows"),
        (lambda: clinical_grid([], [], CHEXPERT), "no reports"),
        (lambda: clinical_grid([{"Oedema": 1}], [{}], CHEXPERT), "'Edema'"),
        (lambda: clinical_grid([[1, 0]], [{}], CHEXPERT), "2 values"),
        (lambda: clinical_grid([{"Edema": 2}], [{}], CHEXPERT), "1, 0, -1"),
        (lambda: clinical_grid([{"Edema": True}], [{}], CHEXPERT), "1, 0, -1"),
        (lambda: clinical_grid([{}], [{}], CHEXPERT, headline="r2gen/14/makro"), "r2gen/14/macro"),
        (lambda: clinical_grid([{}], [{}], PEDIATRIC, headline="rrg/5/micro"), "rrg/all/micro"),
        (lambda: ClinicalScore("r2gen/14/micro/accuracy", CHEXPERT), "recall"),
    ):
        with pytest.raises(UserError, match=match):
            call()
