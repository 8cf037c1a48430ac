"""Geometry of reliability plots: stated confidence to the right, what came true upwards, a disc for every bin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmrg.benchmark.results import Row
from llmrg.benchmark.values import bounds_of, mapping_of, number_of, records_of

__all__ = ["reliability_plots"]

_SIDE = 100.0
_SMALLEST, _LARGEST = 1.2, 4.4


def reliability_plots(row: Row) -> list[dict[str, Any]]:
    """The plots of a system, each in a square of 100 by 100 with the origin above left, as SVG has it.

    The area of a disc grows with the cases of its bin.
    """
    values = mapping_of(row.evidence.get("calibration"))
    stated = _plot(f"Stated confidence of {row.system}", values)
    queries = _plot(f"Disease queries of {row.system}", mapping_of(values.get("queries")))
    return [plot for plot in (stated, queries) if plot is not None]


def _plot(title: str, values: Mapping[str, Any]) -> dict[str, Any] | None:
    bins = [
        (count, confidence, accuracy)
        for entry in records_of(values.get("bins"))
        if (count := number_of(entry.get("count")))
        and (confidence := number_of(entry.get("confidence"))) is not None
        and (accuracy := number_of(entry.get("accuracy"))) is not None
    ]
    if not bins:
        return None
    most = max(count for count, _, _ in bins)
    ece, bounds, brier = number_of(values.get("ece")), bounds_of(values), number_of(values.get("brier"))
    return {
        "title": title,
        "of": str(values.get("of", "")),
        "n": values.get("n", ""),
        "ece": "–" if ece is None else f"{ece:.3f}",
        "interval": f"{bounds[0]:.3f}–{bounds[1]:.3f}" if bounds else "",
        "brier": "" if brier is None else f"{brier:.3f}",
        "points": [
            {
                "x": round(_SIDE * confidence, 2),
                "y": round(_SIDE * (1 - accuracy), 2),
                "radius": round(_SMALLEST + (_LARGEST - _SMALLEST) * (count / most) ** 0.5, 2),
                "count": int(count),
                "confidence": f"{confidence:.2f}",
                "accuracy": f"{accuracy:.2f}",
            }
            for count, confidence, accuracy in bins
        ],
    }
