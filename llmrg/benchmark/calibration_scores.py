"""Calibration of one system's stated probabilities, as ``results.json`` holds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from llmrg.benchmark.evidence_maps import query_probabilities
from llmrg.benchmark.pointing_scores import Resampling, number
from llmrg.benchmark.predictions import Prediction
from llmrg.benchmark.references import References
from llmrg.findings.mention import Mention
from llmrg.findings.targets import positive_findings
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.calibration import (
    CalibrationScore,
    calibration_figures,
    calibration_statistics,
    equal_mass_edges,
    equal_width_edges,
    reliability_table,
)

__all__ = ["calibration_scores"]

Floats = npt.NDArray[np.float64]
_PARTS = ("reliability", "resolution", "uncertainty", "within_variance", "within_covariance")


def calibration_scores(
    predictions: Sequence[Prediction],
    references: References,
    vocabulary: FindingVocabulary,
    *,
    read: Callable[[str], Mapping[str, Mention]],
    bins: int,
    resampling: Resampling,
) -> dict[str, Any]:
    """Compute ``calibration``: of the stated confidence, and in ``queries`` of the disease queries.

    A report is right if it states just the findings that are true, as positive. Findings that a reference leaves
    uncertain are not asked of the queries. Empty where the predictions state neither.

    Args:
        predictions: one a study.
        references: what is true.
        vocabulary: the findings.
        read: reads findings in reports.
        bins: of the reliability tables.
        resampling: for the intervals.
    """
    found: dict[str, Any] = {}
    stated = np.array([[np.nan if p.confidence is None else p.confidence] for p in predictions], dtype=np.float64)
    stated = np.where((stated >= 0) & (stated <= 1), stated, np.nan)
    if not np.isnan(stated).all():
        right = [
            [
                positive_findings(read(prediction.report), vocabulary).keys()
                == positive_findings(expected, vocabulary).keys()
            ]
            for prediction, expected in zip(predictions, references.expected, strict=True)
        ]
        found = {
            "of": "reports without a missed or invented finding",
            **_scores(stated, np.array(right, dtype=np.float64), bins=bins, resampling=resampling),
        }
    names = [finding.name for finding in vocabulary.abnormal]
    asked, true = _queries(predictions, references, names)
    if not np.isnan(asked).all():
        found["queries"] = {
            "of": "findings, by the disease queries' probability",
            **_scores(asked, true, bins=bins, resampling=resampling),
            "classes": [
                _class(name, asked[:, [row]], true[:, [row]], bins=bins, resampling=resampling)
                for row, name in enumerate(names)
                if not np.isnan(asked[:, row]).all()
            ],
        }
    return found


def _queries(predictions: Sequence[Prediction], references: References, names: Sequence[str]) -> tuple[Floats, Floats]:
    """Stated probabilities [N, F] (NaN where there is none) and whether the findings are there [N, F]."""
    asked = np.full((len(predictions), len(names)), np.nan)
    true = np.zeros(asked.shape)
    for row, (prediction, expected) in enumerate(zip(predictions, references.expected, strict=True)):
        probabilities = query_probabilities(prediction)
        for column, name in enumerate(names):
            mention = expected.get(name)
            true[row, column] = mention is not None and mention.polarity == "positive"
            if name in probabilities and (mention is None or mention.polarity != "uncertain"):
                asked[row, column] = probabilities[name]
    return asked, true


def _scores(stated: Floats, true: Floats, *, bins: int, resampling: Resampling) -> dict[str, Any]:
    wide = _table(stated, true, equal_width_edges(bins), resampling=resampling)
    mass = _table(stated, true, equal_mass_edges(stated, bins), resampling=resampling)
    brier = CalibrationScore("brier", equal_width_edges(bins))
    rows = calibration_statistics(stated, true, brier.edges)
    figures = calibration_figures(rows.sum(axis=0))
    return {
        "n": int((~np.isnan(stated)).sum()),
        **wide,
        "equal_mass": mass,
        "brier": number(figures["brier"]),
        "brier_interval": resampling.interval(rows, brier.value),
        "brier_parts": {part: number(figures[part]) for part in _PARTS},
        "mean_probability": number(figures["mean_probability"]),
        "frequency": number(figures["frequency"]),
    }


def _table(stated: Floats, true: Floats, edges: Floats, *, resampling: Resampling) -> dict[str, Any]:
    score = CalibrationScore("ece", edges)
    rows = calibration_statistics(stated, true, edges)
    sums = rows.sum(axis=0)
    return {
        "ece": number(score.value(sums)),
        "interval": resampling.interval(rows, score.value),
        "bins": [
            {
                "low": line["low"],
                "high": line["high"],
                "count": line["cases"],
                "confidence": line["mean_probability"],
                "accuracy": line["frequency"],
            }
            for line in reliability_table(sums, edges)
        ],
    }


def _class(finding: str, stated: Floats, true: Floats, *, bins: int, resampling: Resampling) -> dict[str, Any]:
    score = CalibrationScore("ece", equal_width_edges(bins))
    rows = calibration_statistics(stated, true, score.edges)
    figures = calibration_figures(rows.sum(axis=0))
    shown = ("ece", "brier", "mean_probability", "frequency")
    return {
        "finding": finding,
        "n": int((~np.isnan(stated)).sum()),
        **{name: number(figures[name]) for name in shown},
        "interval": resampling.interval(rows, score.value),
    }
