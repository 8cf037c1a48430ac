"""Published figures on the page: as printed, under their own protocol, apart from ours."""

from __future__ import annotations

from typing import Any

from llmrg.benchmark.charts import systems_by_rank
from llmrg.benchmark.metric_words import name_of
from llmrg.benchmark.result_parts import PublishedTable
from llmrg.benchmark.results import Results, Row

__all__ = ["published_view"]

_CLINICAL = ("clinical_precision", "clinical_recall", "clinical_f1")
_WORDS = {
    "clinical_precision": "CE precision",
    "clinical_recall": "CE recall",
    "clinical_f1": "CE F1",
    "minutes": "Minutes",
    "trained_parameters": "Trained, M",
}


def published_view(results: Results) -> list[dict[str, Any]]:
    """Each published table with our systems above it, told apart by words, and with all that is known against it."""
    return [_table(table, results) for table in results.published]


def _table(table: PublishedTable, results: Results) -> dict[str, Any]:
    metrics = list(dict.fromkeys(metric for row in table["rows"] for metric in row["metrics"]))
    notes: list[str] = []
    rows = []
    for row in table["rows"]:
        marks = []
        for note in row["known"]:
            if note not in notes:
                notes.append(note)
            marks.append(_letter(notes.index(note)))
        rows.append(
            {
                "name": row["system"],
                "source": row["source"],
                "marks": marks,
                "cells": [_text(row["metrics"].get(metric), metric) for metric in metrics],
            }
        )
    ours = [row for row in systems_by_rank(results) if any(_ours(row, metric) is not None for metric in metrics)]
    return {
        "name": table["name"],
        "protocol": table["protocol"],
        "known": table["known"],
        "sources": table["sources"],
        "columns": [_WORDS.get(metric, name_of(metric)) for metric in metrics],
        "rows": rows,
        "notes": [(_letter(place), note) for place, note in enumerate(notes)],
        "ours": [
            {"name": row.system, "cells": [_text(_ours(row, metric), metric) for metric in metrics]} for row in ours
        ],
        "clinical": _headline_path(results) if any(metric in _CLINICAL for metric in metrics) and ours else "",
    }


def _ours(row: Row, metric: str) -> float | None:
    """Our figure of that name; clinical ones from the headline row of the grid."""
    if metric not in _CLINICAL:
        return row.value(metric)
    cells = [] if row.clinical is None else row.clinical["rows"]
    headline = next((cell for cell in cells if cell["headline"]), None)
    if headline is None:
        return None
    return {_CLINICAL[0]: headline["precision"], _CLINICAL[1]: headline["recall"], _CLINICAL[2]: headline["f1"]}[metric]


def _headline_path(results: Results) -> str:
    for row in results.rows:
        for cell in row.clinical["rows"] if row.clinical is not None else ():
            if cell["headline"]:
                return f"{cell['protocol']}/{cell['classes']}/{cell['average']}"
    return ""


def _text(value: float | None, metric: str) -> str:
    """Three decimals as the papers print them, parts of one; others as they stand."""
    if value is None:
        return "–"
    return f"{value:.3f}" if metric not in ("minutes", "trained_parameters") else f"{value:g}"


def _letter(place: int) -> str:
    return chr(ord("a") + place) if place < 26 else f"{chr(ord('a') + place // 26 - 1)}{chr(ord('a') + place % 26)}"
