"""Geometry of the page's charts; the template draws them as inline SVG with words, not colours alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmrg.benchmark.results import Results, Row
from llmrg.benchmark.words import finding_label
from llmrg.errors import UserError
from llmrg.findings.vocabulary import FindingVocabulary, get_vocabulary

__all__ = ["Axis", "class_chart", "ranking_chart"]

_SHAPES = ("disc", "diamond", "square", "triangle")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A linear axis from 0 to 1.

    Args:
        left: x of 0.
        right: x of 1.
    """

    left: float
    right: float

    def at(self, value: float) -> float:
        """X of a value, which is held between 0 and 1."""
        return round(self.left + (self.right - self.left) * min(1.0, max(0.0, value)), 1)

    def ticks(self) -> list[dict[str, Any]]:
        """Positions and labels of 0, 25, 50, 75, 100 %."""
        return [{"x": self.at(part / 4), "text": str(25 * part)} for part in range(5)]


def ranking_chart(results: Results, metric: str = "clinical_micro_f1") -> dict[str, Any]:
    """Place every row's figure with its interval on one axis (a forest plot)."""
    left = max(150, 16 + 7 * max((len(row.system) for row in results.rows), default=0))  # names stand left of the axis
    axis = Axis(left=left, right=left + 360)
    rows: list[dict[str, Any]] = []
    for row in results.rows:
        value = row.value(metric)
        if value is None:
            continue
        low, high = row.confidence_intervals.get(metric, (value, value))
        rows.append(
            {
                "name": row.system,
                "kind": row.kind,
                "y": 20 + 30 * len(rows),
                "x": axis.at(value),
                "low": axis.at(low),
                "high": axis.at(high),
                "text": f"{100 * value:.1f}",
            }
        )
    return {
        "rows": rows,
        "ticks": axis.ticks(),
        "names": left - 14,
        "width": left + 420,
        "height": 30 * len(rows) + 34,
        "foot": 30 * len(rows) + 8,
    }


def class_chart(results: Results) -> dict[str, Any]:
    """Place the F1 of every finding for each system, the nearest-film row and the oracle; common findings first."""
    vocabulary = _vocabulary(results.vocabulary)
    systems = [row for row in results.rows if row.kind == "system"]
    nearest, oracle = results.row("nearest"), results.row("oracle")
    shown = [*systems, *(row for row in (nearest, oracle) if row is not None)]
    support: dict[str, int] = {}
    for row in shown:
        for name, figures in row.metrics.get("per_class", {}).items():
            support.setdefault(name, int(figures.get("support", 0)))
    axis = Axis(left=276, right=640)
    rows: list[dict[str, Any]] = []
    for name in sorted((name for name in support if support[name]), key=lambda key: -support[key]):
        points = [
            {"shape": shape, "x": axis.at(f1), "name": row.system, "text": f"{100 * f1:.0f}"}
            for row, shape in _shapes(systems, nearest, oracle)
            if (f1 := _f1(row, name)) is not None
        ]
        system_points = [point for point in points if point["shape"] in _SHAPES]
        low = next((point["x"] for point in points if point["shape"] == "ring"), None)
        rows.append(
            {
                "label": _label(name, vocabulary, results.language),
                "support": support[name],
                "y": 18 + 26 * len(rows),
                "points": points,
                "span": (low, system_points[0]["x"]) if low is not None and system_points else None,
                "text": " ".join(str(point["text"]) for point in system_points),
            }
        )
    return {
        "rows": rows,
        "ticks": axis.ticks(),
        "absent": [_label(name, vocabulary, results.language) for name in support if not support[name]],
        "legend": [{"shape": shape, "name": row.system} for row, shape in _shapes(systems, nearest, oracle)],
        "width": 724,
        "height": 26 * len(rows) + 34,
        "foot": 26 * len(rows) + 8,
    }


def _shapes(systems: list[Row], nearest: Row | None, oracle: Row | None) -> list[tuple[Row, str]]:
    marked = [(row, "ring") for row in (nearest,) if row is not None]
    marked += [(row, "tick") for row in (oracle,) if row is not None]
    return marked + [(row, _SHAPES[i % len(_SHAPES)]) for i, row in enumerate(systems)]


def _f1(row: Row, name: str) -> float | None:
    value = row.metrics.get("per_class", {}).get(name, {}).get("f1")
    return float(value) if isinstance(value, (int, float)) else None


def _label(name: str, vocabulary: FindingVocabulary | None, language: str) -> str:
    return name if vocabulary is None else finding_label(name, vocabulary, language)


def _vocabulary(name: str) -> FindingVocabulary | None:
    try:
        return get_vocabulary(name)
    except UserError:
        return None
