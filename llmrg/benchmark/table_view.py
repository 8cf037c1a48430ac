"""The page's main table: headline metrics first, then the others that any row has, with intervals and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmrg.benchmark.charts import headline_metrics
from llmrg.benchmark.columns import Column
from llmrg.benchmark.metric_words import figure, interval, metric_column, name_of
from llmrg.benchmark.results import Results, Row

__all__ = ["every_figure", "main_table", "row_note"]

_SHOWN = (
    "clinical_micro_f1",
    "clinical_micro_precision",
    "clinical_micro_recall",
    "clinical_macro_f1_supported",
    "side_accuracy",
    "graph_f1",
    "bleu_4",
    "rouge_l",
    "meteor",
    "cider",
    "chrf",
    "distinct_ratio",
    "copied_ratio",
    "invented_priors",
    "empty_ratio",
    "mean_length",
)
_NOTES = {
    "constant": "one training report for everybody",
    "random": "a random training report",
    "nearest": "report of the nearest training film",
    "nearest_encoder": "report of what the system's own encoder finds nearest",
    "oracle_nearest": "training report most like the reference",
    "oracle": "the truth in plain words",
}
_CLEAR = 0.05


def main_table(results: Results) -> dict[str, Any]:
    """Columns with their groups, and rows in blocks by kind."""
    leading = headline_metrics(results)
    others = [name for name in _SHOWN if name not in leading and _known(results, name)]
    columns = [(metric_column(name), "Headline") for name in leading]
    columns += [(column, column.group) for column in map(metric_column, others)]
    groups = list(dict.fromkeys(group for _, group in columns))
    columns.sort(key=lambda pair: groups.index(pair[1]))
    first = {group: next(column for column, other in columns if other == group) for group in groups}
    return {
        "groups": [{"name": group, "span": sum(other == group for _, other in columns)} for group in groups],
        "columns": [
            {
                "label": _short(column, leading),
                "title": column.title,
                "first": first[group] is column,
                "headline": group == "Headline",
            }
            for column, group in columns
        ],
        "blocks": [
            (
                kind,
                [
                    {
                        "name": row.system,
                        "note": row_note(row),
                        "gate": None if row.gate is None else row.gate["passed"],
                        "seeds": 0 if row.seeds is None else len(row.seeds["names"]),
                        "cells": [
                            {
                                **_cell(row, column, results),
                                "first": first[group] is column,
                                "headline": group == "Headline",
                            }
                            for column, group in columns
                        ],
                    }
                    for row in rows
                ],
            )
            for kind in ("system", "baseline", "oracle")
            if (rows := [row for row in results.rows if row.kind == kind])
        ],
        "notes": [f"{row.system}: {note}" for row in results.rows for note in row.notes],
        "level": any(_level(row, metric, results) for row in results.rows for metric in leading),
        "seeds": any(row.seeds is not None for row in results.rows),
    }


def row_note(row: Row) -> str:
    """What a baseline or oracle is, in a few words; empty for systems."""
    return "" if row.kind == "system" else _NOTES.get(row.system.split(" ", 1)[0], "")


def every_figure(results: Results) -> dict[str, Any]:
    """All scalar figures of all rows, metrics down and rows across, for those who look one up."""
    names = dict.fromkeys(name for row in results.rows for name in row.metrics if name != "per_class")
    return {
        "rows": [row.system for row in results.rows],
        "metrics": [
            {
                "name": name_of(name),
                "key": name,
                "cells": [
                    {
                        "text": figure(row.value(name), name),
                        "interval": interval(row.confidence_intervals.get(name), name),
                    }
                    for row in results.rows
                ],
            }
            for name in names
        ],
    }


def _short(column: Column, leading: Sequence[str]) -> str:
    """A label that tells apart: plain ``F1`` says findings only under its own group; paths break after the protocol."""
    if column.metric in leading and column.label == "F1":
        return name_of(column.metric)
    return column.short if column.short is not None and "\n" in column.short else column.label


def _known(results: Results, metric: str) -> bool:
    return any(row.value(metric) is not None for row in results.rows)


def _cell(row: Row, column: Column, results: Results) -> dict[str, Any]:
    metric = column.metric
    value = row.value(metric)
    best = _best(metric, results)
    spread = None if row.seeds is None else row.seeds["figures"].get(metric)
    return {
        "text": figure(value, metric),
        "interval": interval(row.confidence_intervals.get(metric), metric),
        "spread": "" if spread is None else f"sd {figure(spread['sd'], metric)}",
        "bar": round(100 * min(1.0, max(0.0, value)), 1) if value is not None and column.percent else None,
        "best": column.ranked and row.kind != "oracle" and value is not None and value == best,
        "level": _level(row, metric, results),
    }


def _best(metric: str, results: Results) -> float | None:
    values = [row.value(metric) for row in results.rows if row.kind != "oracle"]
    return max((value for value in values if value is not None), default=None)


def _level(row: Row, metric: str, results: Results) -> bool:
    """Whether a paired test could not tell this system from the best one."""
    best = _best(metric, results)
    if best is None or row.value(metric) in (None, best):
        return False
    leaders = {other.system for other in results.rows if other.kind != "oracle" and other.value(metric) == best}
    return any(
        test["metric"] == metric
        and row.system in (test["first"], test["second"])
        and leaders & {test["first"], test["second"]}
        and test["p_holm"] >= _CLEAR
        for test in results.tests
    )
