"""The calibration part of a row, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmrg.benchmark.calibration_scores import calibration_scores
from llmrg.benchmark.pointing_scores import Resampling
from llmrg.benchmark.predictions import Prediction
from llmrg.benchmark.references import References
from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.study import Study

VOCABULARY = get_vocabulary("chexpert14")


def stated(text: str) -> dict[str, Mention]:
    """Names, comma between; ``?`` behind an uncertain one."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return {
        name.rstrip("?"): Mention(finding=name.rstrip("?"), polarity="uncertain" if name.endswith("?") else "positive")
        for name in names
    }


def scores(reports: list[tuple[str, str, float | None, dict[str, Any]]], resamples: int = 20) -> dict[str, Any]:
    """Of (report, truth, confidence, probability by finding)."""
    predictions = [
        Prediction(
            id=str(n),
            report=report,
            confidence=confidence,
            evidence=(
                {"kind": "disease_queries", "items": [{"finding": k, "probability": v} for k, v in asked.items()]},
            )
            if asked
            else (),
        )
        for n, (report, _, confidence, asked) in enumerate(reports)
    ]
    truth = tuple(stated(truth) for _, truth, _, _ in reports)
    studies = tuple(
        Study(id=str(n), patient_id=str(n), images=(), split="test", language="en") for n in range(len(reports))
    )
    return calibration_scores(
        predictions,
        References(studies, ("",) * len(reports), truth, truth, None),
        VOCABULARY,
        read=stated,
        bins=5,
        resampling=Resampling(patients=[str(n) for n in range(len(reports))], resamples=resamples, seed=0),
    )


REPORTS: list[tuple[str, str, float | None, dict[str, Any]]] = [
    ("Edema, No Finding", "Edema", 0.9, {"Edema": 0.8, "Fracture": 0.1}),  # right: No Finding is no finding
    ("Edema?", "", 0.7, {"Edema": 0.3, "Fracture": 0.1}),  # right: only positive statements count
    ("Edema, Fracture", "Edema", 0.9, {"Edema": 1.0, "Fracture": 0.9}),  # invented
    ("", "Fracture, Edema?", None, {"Edema": 0.9, "Fracture": 0.5}),  # missed; no confidence; edema not asked
]


def test_by_hand() -> None:
    found = scores(REPORTS)
    json.dumps(found, allow_nan=False)
    assert found["n"] == 3
    assert found["bins"] == [
        {"low": pytest.approx(0.6), "high": pytest.approx(0.8), "count": 1, "confidence": 0.7, "accuracy": 1.0},
        {"low": pytest.approx(0.8), "high": 1.0, "count": 2, "confidence": pytest.approx(0.9), "accuracy": 0.5},
    ]
    assert found["ece"] == pytest.approx((0.3 + 2 * 0.4) / 3)
    assert found["brier"] == pytest.approx((0.01 + 0.09 + 0.81) / 3)
    assert found["interval"][0] <= found["interval"][1]
    parts = found["brier_parts"]
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"]
    assert total + parts["within_variance"] - parts["within_covariance"] == pytest.approx(found["brier"])
    queries = found["queries"]
    assert queries["n"] == 7
    assert queries["brier"] == pytest.approx((0.04 + 0.01 + 0.09 + 0.01 + 0 + 0.81 + 0.25) / 7)
    assert queries["mean_probability"] == pytest.approx((0.8 + 0.1 + 0.3 + 0.1 + 1 + 0.9 + 0.5) / 7)
    classes = {line["finding"]: line for line in queries["classes"]}
    assert {name: line["n"] for name, line in classes.items()} == {"Edema": 3, "Fracture": 4}
    assert classes["Fracture"]["frequency"] == 0.25
    assert sum(line["count"] for line in queries["equal_mass"]["bins"]) == 7


def test_what_is_not_stated_is_left_out() -> None:
    plain = [(report, truth, None, {}) for report, truth, _, _ in REPORTS]
    assert scores(plain) == {}
    confident = scores([(report, truth, 0.5, {}) for report, truth, _, _ in REPORTS], resamples=0)
    assert "queries" not in confident
    assert confident["interval"] is None
    only = scores([(report, truth, None, asked) for report, truth, _, asked in REPORTS])
    assert set(only) == {"queries"}


def test_numbers_that_are_no_probabilities_are_left_out() -> None:
    odd = [("", "", 7.0, {"Edema": -1, "Fracture": "much"}), ("", "", 0.5, {})]
    found = scores(odd)
    assert found["n"] == 1
    assert "queries" not in found
