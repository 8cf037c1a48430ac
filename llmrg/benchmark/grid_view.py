"""Clinical efficacy on the page: F1 of every row under every protocol, and each row's full grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmrg.benchmark.charts import class_support, systems_by_rank
from llmrg.benchmark.metric_words import share
from llmrg.benchmark.result_parts import GridRow
from llmrg.benchmark.results import Results, Row
from llmrg.benchmark.words import class_label

__all__ = ["class_table", "grid_view"]

_FIGURES = ("precision", "recall", "f1")
_SAME = 1e-9


def grid_view(results: Results) -> dict[str, Any] | None:
    """The grid of all rows; None where no row has one."""
    rows = [row for row in results.rows if row.clinical is not None and row.clinical["rows"]]
    if not rows:
        return None
    cells = {row.system: {_key(cell): cell for cell in row.clinical["rows"]} for row in rows if row.clinical}
    keys = dict.fromkeys(key for grid in cells.values() for key in grid)
    some = {key: next(grid[key] for grid in cells.values() if key in grid) for key in keys}
    return {
        "systems": [{"name": row.system, "kind": row.kind} for row in rows],
        "lines": [
            {
                **_words(some[key]),
                "key": key,
                "cells": [_percent(cells[row.system].get(key), "f1") for row in rows],
            }
            for key in keys
        ],
        "full": [
            {
                "name": row.system,
                "kind": row.kind,
                "lines": [
                    {**_words(cell), "key": key, "cells": [_percent(cell, name) for name in _FIGURES]}
                    for key, cell in cells[row.system].items()
                ],
            }
            for row in rows
        ],
    }


def class_table(results: Results) -> dict[str, Any] | None:
    """Precision, recall and F1 of every finding for every row but the random ones; None without class figures."""
    support = class_support(results)
    ranked = systems_by_rank(results)
    shown = [*ranked, *(row for row in results.rows if row.kind != "system")]
    shown = [row for row in shown if row.metrics.get("per_class")]
    if not support or not shown:
        return None
    names = sorted(support, key=lambda name: -support[name])
    return {
        "systems": [{"name": row.system, "kind": row.kind} for row in shown],
        "rows": [
            {
                "label": class_label(name, results.vocabulary, results.language),
                "support": support[name],
                "cells": [_class_cell(row, name) for row in shown],
            }
            for name in names
        ],
    }


def _class_cell(row: Row, name: str) -> dict[str, Any]:
    figures: Mapping[str, Any] = row.metrics.get("per_class", {}).get(name, {})
    f1 = figures.get("f1")
    bounds = _class_interval(row, name, f1)
    return {
        "text": share(f1),
        "interval": "" if bounds is None else f"{share(bounds[0])}–{share(bounds[1])}",
        "precision": share(figures.get("precision")),
        "recall": share(figures.get("recall")),
        "bar": None if f1 is None else round(100 * float(f1), 1),
    }


def _class_interval(row: Row, name: str, f1: float | None) -> tuple[float, float] | None:
    """The interval of a finding's F1: its own, or that of the clinical grid where both speak of the same figure."""
    own = row.metrics.get("per_class", {}).get(name, {}).get("interval")
    if own is not None:
        return float(own[0]), float(own[1])
    if row.clinical is None or f1 is None:
        return None
    same = next((entry for entry in row.clinical["classes"] if entry["finding"] == name), None)
    scores = {} if same is None else same.get("positive", {})
    bounds = scores.get("intervals", {}).get("f1")
    if bounds is None or abs(scores.get("f1", -1.0) - f1) > _SAME:
        return None
    return float(bounds[0]), float(bounds[1])


def _key(cell: GridRow) -> str:
    return f"{cell['protocol']}/{cell['classes']}/{cell['average']}"


def _words(cell: GridRow) -> dict[str, Any]:
    return {
        "protocol": cell["protocol"],
        "classes": str(cell["classes"]),
        "average": cell["average"],
        "uncertain": cell.get("uncertain", ""),
        "source": cell.get("source", ""),
        "headline": bool(cell.get("headline")),
    }


def _percent(cell: Mapping[str, Any] | None, name: str) -> dict[str, str]:
    if cell is None:
        return {"text": "–", "interval": ""}
    bounds = cell.get("intervals", {}).get(name)
    return {
        "text": share(cell[name]),
        "interval": "" if bounds is None else f"{share(bounds[0])}–{share(bounds[1])}",
    }
