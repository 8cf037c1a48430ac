"""What rests on a source, and whether it changes: by hand, in both languages."""

from __future__ import annotations

import re

import numpy as np
import pytest

from llmrg.errors import UserError
from llmrg.findings.mention import Mention
from llmrg.metrics.deletion import (
    DELETION_COLUMNS,
    DELETION_FIGURES,
    DeletionScore,
    deletion_statistics,
    resting_findings,
)
from llmrg.metrics.statistics import bootstrap_interval


def read(text: str) -> dict[str, Mention]:
    """Read a toy language: ``+effusion(left)``, ``-edema``, ``?nodule``; positive over uncertain over absent."""
    found: dict[str, Mention] = {}
    rank = {"negative": 0, "uncertain": 1, "positive": 2}
    for sign, name, side in re.findall(r"([+?-])([a-z]+)(?:\((left|right|bilateral)\))?", text):
        polarity = {"+": "positive", "-": "negative", "?": "uncertain"}[sign]
        if name not in found or rank[polarity] > rank[found[name].polarity]:
            found[name] = Mention(finding=name, polarity=polarity, side=side or None)  # type: ignore[arg-type]
    return found


def sentences(text: str) -> list[str]:
    return [part.strip() + "." for part in text.split(".") if part.strip()]


def columns(report: str, without: str, resting=("effusion", "nodule")) -> dict[str, float]:
    rows = deletion_statistics([report], [without], [set(resting)], read=read, sentences=sentences)
    return dict(zip(DELETION_COLUMNS, rows[0], strict=True))


def counts(found: dict[str, float], *names: str) -> list[float]:
    return [found[name] for name in names]


def test_the_same_report_has_not_changed() -> None:
    found = columns("+effusion(left). -edema. Trachea midline.", "+EFFUSION(left).  -edema. Trachea, midline")
    changes = [name for name in DELETION_COLUMNS if name.endswith(("_changed", "_reworded"))]
    # The toy labeler does not read capitals, so that what it says is lost while its words stand.
    assert found["resting_reworded"] == 0
    assert found["rest_reworded"] == 0
    again = columns("+effusion(left). -edema. Trachea midline.", "+effusion(left). -edema. Trachea midline.")
    assert counts(again, *changes) == [0] * len(changes)
    assert counts(again, "resting", "others", "positive_others", "rest", "studies") == [1, 1, 0, 2, 1]


@pytest.mark.parametrize(
    ("said", "instead", "changed"),
    [
        ("+effusion(left)", "-effusion", 1),
        ("+effusion(left)", "", 1),
        ("+effusion(left)", "?effusion(left)", 1),
        ("+effusion(left)", "+effusion(right)", 1),
        ("+effusion(left)", "+effusion", 1),
        ("+effusion(left)", "+effusion(bilateral)", 0),
        ("+effusion(bilateral)", "+effusion(left)", 1),
        ("+effusion", "+effusion(right)", 0),
        ("+effusion +nodule", "+effusion", 1),
        ("+effusion -edema", "+effusion +edema", 1),
    ],
)
def test_a_sentence_that_rests_changes_with_what_it_says(said: str, instead: str, changed: int) -> None:
    found = columns(f"{said}.", f"{instead}.")
    assert counts(found, "resting", "resting_changed", "others") == [1, changed, 0]


@pytest.mark.parametrize(
    ("said", "instead", "changed"),
    [
        ("-edema", "", 0),  # what is not mentioned is absent
        ("-edema", "?edema", 0),
        ("-edema", "+edema", 1),
        ("?edema", "+edema", 1),
        ("?edema", "-edema", 1),
        ("+edema", "-edema", 1),
        ("-effusion", "+effusion", 1),  # rests on nothing: no source speaks for an absence
    ],
)
def test_other_sentences_are_judged_alike(said: str, instead: str, changed: int) -> None:
    found = columns(f"{said}.", f"{instead}.")
    assert counts(found, "resting", "others", "others_changed") == [0, 1, changed]
    assert found["positive_others"] == ("+" in said)
    assert found["positive_others_changed"] == ("+" in said and changed)


def test_a_sentence_about_the_rest_is_not_judged() -> None:
    """ "No further consolidation" beside one that is stated says nothing that could change."""
    found = columns("+edema(left). -edema.", "-edema.", resting=())
    assert counts(found, "others", "others_changed", "rest", "rest_reworded") == [1, 1, 2, 1]


def test_words_and_meaning_are_told_apart() -> None:
    found = columns("+effusion(left) small. Heart normal.", "Small +effusion(left). Heart of normal size.")
    assert counts(found, "resting_changed", "resting_reworded") == [0, 1]
    assert counts(found, "others", "rest", "rest_reworded") == [0, 1, 1]
    assert counts(found, "studies_changed", "studies_reworded") == [0, 1]


def test_empty_reports_are_no_trouble() -> None:
    assert columns("", "")["studies"] == 1
    assert columns("", "+effusion.")["studies_changed"] == 1
    assert columns("+effusion.", "")["resting_changed"] == 1


def test_figures_are_shares_and_their_difference() -> None:
    reports = ["+effusion. -edema. +edema.", "+effusion. -edema.", "-edema."]
    without = ["-edema.", "+effusion. +edema.", "-edema."]
    rows = deletion_statistics(reports, without, [{"effusion"}] * 3, read=read, sentences=sentences)
    sums = rows.sum(axis=0)
    assert float(DeletionScore("resting_changed").value(sums)) == pytest.approx(1 / 2)
    assert float(DeletionScore("others_changed").value(sums)) == pytest.approx(
        2 / 3
    )  # "-edema" of the first: not judged
    assert float(DeletionScore("positive_others_changed").value(sums)) == 1.0
    assert float(DeletionScore("studies_changed").value(sums)) == pytest.approx(2 / 3)
    faithfulness = DeletionScore("faithfulness")
    assert float(faithfulness.value(sums)) == pytest.approx(1 / 2 - 2 / 3)
    assert faithfulness.value(np.stack([sums, rows[0]])).shape == (2,)
    assert np.isnan(DeletionScore("resting_changed").value(rows[2]))
    interval = bootstrap_interval(rows, faithfulness.value, patients=["a", "b", "b"], resamples=50)
    assert interval is not None
    for figure in DELETION_FIGURES:
        assert 0 <= float(DeletionScore(figure).value(sums)) <= 1
    with pytest.raises(UserError, match="faithfulness"):
        DeletionScore("faithful")


RECORDS = [
    {"kind": "patches", "items": []},
    {
        "kind": "disease_queries",
        "items": [
            {"finding": "effusion", "probability": 0.5},
            {"finding": "edema", "probability": 0.49},
            {"finding": "nodule", "probability": None},
        ],
        "maps": {},
    },
    {
        "kind": "visual_memory",
        "items": [
            {"finding": "effusion", "pattern": {"finding": "edema"}, "weight": 0.2},
            {"finding": "effusion", "pattern": {"finding": "effusion"}, "weight": 0.3},
            {"finding": "nodule", "pattern": {"finding": "nodule"}, "weight": 0.1},
            {"finding": "nodule", "pattern": {"finding": "edema"}, "weight": 0.4},
            {"finding": "edema", "pattern": "broken", "weight": 0.4},
        ],
    },
    {"kind": "report_memory", "items": "broken"},
    {
        "kind": "retrieved_context",
        "items": [
            {"study_id": "a", "role": "positive"},
            {"study_id": "b", "role": "positive"},
            {"study_id": "c", "role": "negative"},
            {"study_id": "unknown", "role": "positive"},
        ],
    },
    {
        "kind": "context_residuals",
        "items": [
            {"study_id": "b", "role": "positive", "similarity": 0.9},
            {"study_id": "a", "role": "positive"},  # served every query: nothing was retrieved
            {"study_id": "c", "role": "negative", "similarity": 0.9},
        ],
    },
    {"kind": "diagnosis_hints", "items": [{"words": "left effusion; edema"}]},
]


def test_each_source_speaks_for_its_findings() -> None:
    stated = {"a": {"effusion"}, "b": {"nodule"}, "c": {"edema"}}
    found = resting_findings(
        RECORDS,
        stated_by=lambda study: stated.get(study, ()),
        said_by=lambda words: {name for name in ("effusion", "edema") if name in words},
    )
    assert {kind: set(names) for kind, names in found.items()} == {
        "patches": set(),
        "disease_queries": {"effusion"},
        "visual_memory": {"effusion"},
        "report_memory": set(),
        "retrieved_context": {"effusion", "nodule"},
        "context_residuals": {"nodule"},
        "diagnosis_hints": {"effusion", "edema"},
    }


def test_records_of_others_are_no_trouble() -> None:
    odd = [{"kind": "attention", "items": [1, None]}, {}, {"kind": "disease_queries", "items": [{"probability": "x"}]}]
    found = resting_findings(odd, stated_by=lambda _: (), said_by=lambda _: ())
    assert all(not names for names in found.values())
