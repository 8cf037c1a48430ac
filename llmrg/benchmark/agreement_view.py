"""Agreement of the labeler with labels that the dataset ships, on the page: kappa a class with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmrg.benchmark.axis import Axis, round_axis
from llmrg.benchmark.metric_words import share
from llmrg.benchmark.results import Results
from llmrg.benchmark.words import class_label

__all__ = ["agreement_view"]


def agreement_view(results: Results) -> dict[str, Any] | None:
    """A row a class; None where the dataset ships no labels."""
    agreement = results.agreement
    if agreement is None:
        return None
    lines = [*agreement["classes"], {**agreement["overall"], "finding": "all"}] if agreement["overall"] else []
    lines = lines or list(agreement["classes"])
    values = [value for line in lines for value in (line.get("kappa"), *_bounds(line, "kappa")) if value is not None]
    axis = round_axis([*values, 1.0], most=1.0)
    return {
        "n": agreement["n"],
        "left_out": agreement["left_out"],
        "first": agreement["first"],
        "second": agreement["second"],
        "mean_kappa": _text(agreement["mean_kappa"]),
        "mean_kappa_positive": _text(agreement["mean_kappa_positive"]),
        "axis": axis.to_mapping(),
        "rows": [_row(line, axis, results) for line in lines],
    }


def _row(line: Mapping[str, Any], axis: Axis, results: Results) -> dict[str, Any]:
    kappa, bounds = line.get("kappa"), _bounds(line, "kappa")
    whole = line["finding"] == "all"
    return {
        "label": "all classes" if whole else class_label(line["finding"], results.vocabulary, results.language),
        "whole": whole,
        "at": None if kappa is None else axis.at(kappa),
        "low": axis.at(bounds[0]) if bounds else None,
        "high": axis.at(bounds[1]) if bounds else None,
        "kappa": _text(kappa),
        "interval": f"{_text(bounds[0])}–{_text(bounds[1])}" if bounds else "",
        "positive": _text(line.get("kappa_positive")),
        "agreement": share(line.get("agreement")),
        "first": share(line.get("prevalence_first")),
        "second": share(line.get("prevalence_second")),
    }


def _bounds(line: Mapping[str, Any], name: str) -> tuple[float, ...]:
    return tuple(float(end) for end in (line.get("intervals") or {}).get(name, ()))


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "\u2212")
