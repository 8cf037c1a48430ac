"""Pointing and overlap of one system's maps, as ``results.json`` holds them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmrg.benchmark.evidence_maps import JudgedMaps
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.metric import Statistics
from llmrg.metrics.pointing import POINTING_BASELINES, PointingScore, class_pointing, pointing_statistics
from llmrg.metrics.statistics import Value, bootstrap_interval

__all__ = ["Resampling", "number", "pointing_scores"]


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """How intervals are drawn.

    Args:
        patients: the patient of each study.
        resamples: draws of patients; 0 leaves intervals out.
        seed: of the draws.
    """

    patients: Sequence[str]
    resamples: int
    seed: int

    def interval(self, statistics: Statistics, value: Value) -> list[float] | None:
        """Ends of the 95 % interval, or None where there is none."""
        if not self.resamples:
            return None
        found = bootstrap_interval(statistics, value, patients=self.patients, resamples=self.resamples, seed=self.seed)
        return None if found is None else [found.low, found.high]


def number(value: Any) -> float | None:
    """A figure as JSON can hold it: None where it is not defined."""
    return None if math.isnan(float(value)) else float(value)


def pointing_scores(
    judged: JudgedMaps, vocabulary: FindingVocabulary, *, threshold: float, resampling: Resampling
) -> dict[str, Any]:
    """Compute ``pointing`` and ``overlap``; empty where no true finding has a box.

    Args:
        judged: maps and boxes of every study.
        vocabulary: the findings; its abnormal ones are the queries.
        threshold: for intersection over union.
        resampling: for the intervals.
    """
    names = [finding.name for finding in vocabulary.abnormal]

    def count(boxes: Sequence[Any]) -> Statistics:
        return pointing_statistics(judged.maps, boxes, queries=len(names), threshold=threshold)

    statistics = count(judged.boxes)
    sums = statistics.sum(axis=0)
    classes = class_pointing(sums, queries=len(names))
    boxes, findings = int(classes["boxes"].sum()), int(classes["findings"].sum())
    if not boxes:
        return {}

    def figure(name: str, key: str, *, of: Statistics = statistics) -> dict[str, Any]:
        return _figure(of, name, key, queries=len(names), resampling=resampling)

    def by_class(name: str, key: str) -> list[dict[str, Any]]:
        return [
            {"finding": finding, "n": int(classes["boxes"][row]), key: number(classes[name][row])}
            | {other: number(classes[column][row]) for other, column in POINTING_BASELINES[name].items()}
            for row, finding in enumerate(names)
            if classes["boxes"][row]
        ]

    views = {view: count(judged.of_view(view)) for view in judged.views}
    likely = count(judged.likely)
    grids = {study.maps.shape[2:] for study, own in zip(judged.maps, judged.boxes, strict=True) if own}
    return {
        "pointing": {
            "n": boxes,
            **figure("hit", "rate"),
            "classes": by_class("hit", "rate"),
            "near": {**figure("near", "rate"), "classes": by_class("near", "rate"), "tolerance": "half a cell"},
            "views": [
                {"view": view, "n": _cases(rows, len(names)), **figure("hit", "rate", of=rows)}
                for view, rows in views.items()
            ],
            "likely": {"n": _cases(likely, len(names)), **figure("hit", "rate", of=likely)},
            "study": {"n": findings, **figure("study_hit", "rate")},
            "grids": sorted([int(height), int(width)] for height, width in grids),
        },
        "overlap": {
            "n": boxes,
            **figure("iou", "mean"),
            "threshold": threshold,
            "classes": by_class("iou", "mean"),
            "energy": {**figure("energy", "mean"), "classes": by_class("energy", "mean")},
            "study_energy": {"n": findings, **figure("study_energy", "mean")},
        },
    }


def _figure(rows: Statistics, name: str, key: str, *, queries: int, resampling: Resampling) -> dict[str, Any]:
    """A figure with its interval, its baselines, and how far it is above the mean map (with interval)."""
    score = PointingScore(name, queries=queries)
    blind = {other: PointingScore(column, queries=queries) for other, column in POINTING_BASELINES[name].items()}
    sums = rows.sum(axis=0)

    def gain(drawn: Statistics) -> Any:
        return score.value(drawn) - blind["mean_map"].value(drawn)

    return {
        key: number(score.value(sums)),
        "interval": resampling.interval(rows, score.value),
        **{other: number(baseline.value(sums)) for other, baseline in blind.items()},
        "above_mean_map": number(gain(sums)),
        "above_mean_map_interval": resampling.interval(rows, gain),
    }


def _cases(rows: Statistics, queries: int) -> int:
    return int(np.sum(class_pointing(rows.sum(axis=0), queries=queries)["boxes"]))
