"""Geometry of the page's charts of rows: every headline metric, every finding, every protocol of clinical efficacy.

A chart is a table whose rows have a plot between name and figure, so that it is read without seeing it. Positions are
percent of the plot's width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmrg.benchmark.axis import Axis, round_axis
from llmrg.benchmark.metric_words import figure, interval, metric_column, name_of
from llmrg.benchmark.results import Results, Row
from llmrg.benchmark.words import class_label

__all__ = ["SHAPES", "class_chart", "headline_metrics", "protocol_chart", "ranking_charts", "systems_by_rank"]

SHAPES = ("disc", "diamond", "square", "triangle")
_SHARE = 1.0


def headline_metrics(results: Results) -> list[str]:
    """The headline metrics that at least one row has, in their order."""
    return [metric for metric in results.headline if any(row.value(metric) is not None for row in results.rows)]


def systems_by_rank(results: Results, metric: str | None = None) -> list[Row]:
    """The systems, the best under the first headline metric (or ``metric``) first."""
    shown = [metric] if metric is not None else headline_metrics(results)[:1]
    systems = [row for row in results.rows if row.kind == "system"]
    return sorted(systems, key=lambda row: -(_value(row, shown[0]) if shown else 0.0))


def ranking_charts(results: Results) -> list[dict[str, Any]]:
    """One chart for every headline metric: systems and baselines by rank, oracles below, with intervals."""
    charts: list[dict[str, Any]] = []
    for metric in headline_metrics(results):
        rows = [row for row in results.rows if row.value(metric) is not None]
        rows.sort(key=lambda row: (row.kind == "oracle", -_value(row, metric)))
        bounds = {row.system: row.confidence_intervals.get(metric) for row in rows}
        values = [_value(row, metric) for row in rows]
        values += [bound[1] for bound in bounds.values() if bound is not None]
        axis = _axis(values, metric)
        charts.append(
            {
                "metric": metric,
                "name": name_of(metric),
                "title": metric_column(metric).title,
                "unit": "percent" if metric_column(metric).percent else "",
                "axis": axis.to_mapping(),
                "rows": [_ranked(row, metric, bounds[row.system], axis) for row in rows],
            }
        )
    return charts


def _ranked(row: Row, metric: str, bounds: tuple[float, float] | None, axis: Axis) -> dict[str, Any]:
    value = _value(row, metric)
    spread = row.seeds["figures"].get(metric) if row.seeds is not None else None
    return {
        "name": row.system,
        "kind": row.kind,
        "at": axis.at(value),
        "low": None if bounds is None else axis.at(bounds[0]),
        "high": None if bounds is None else axis.at(bounds[1]),
        "seeds": [] if spread is None else [axis.at(one) for one in spread["values"] if one is not None],
        "text": figure(value, metric),
        "interval": interval(bounds, metric),
    }


def class_chart(results: Results) -> dict[str, Any]:
    """F1 of every finding, common ones first, of the systems, the nearest-film row and the truth in plain words.

    The four best systems have marks of their own; further ones share a small mark, and the table names them.
    """
    systems = systems_by_rank(results)
    named, others = systems[: len(SHAPES)], systems[len(SHAPES) :]
    nearest, oracle = results.row("nearest"), results.row("oracle")
    marked: list[tuple[Row, str]] = [(row, "other") for row in others]
    marked += [(row, "ring") for row in (nearest,) if row is not None]
    marked += [(row, "tick") for row in (oracle,) if row is not None]
    marked += list(reversed(list(zip(named, SHAPES, strict=False))))
    support = class_support(results)
    axis = Axis(low=0.0, step=0.25, parts=4, scale=100)
    rows: list[dict[str, Any]] = []
    for name in sorted((name for name in support if support[name]), key=lambda key: -support[key]):
        points: list[dict[str, Any]] = [
            {"shape": shape, "at": axis.at(f1), "name": row.system, "text": f"{100 * f1:.0f}"}
            for row, shape in marked
            if (f1 := _class_f1(row, name)) is not None
        ]
        ends = [point["at"] for point in points if point["shape"] in ("ring", SHAPES[0])]
        rows.append(
            {
                "label": class_label(name, results.vocabulary, results.language),
                "support": support[name],
                "points": points,
                "span": (min(ends), max(ends)) if len(ends) == 2 else None,
                "text": next((point["text"] for point in points if point["shape"] == SHAPES[0]), "–"),
            }
        )
    legend = [{"shape": shape, "name": row.system} for row, shape in reversed(marked) if shape != "other"]
    if others:
        legend.append({"shape": "other", "name": f"{len(others)} further system{'s' if len(others) > 1 else ''}"})
    return {
        "rows": rows,
        "axis": axis.to_mapping(),
        "absent": [class_label(name, results.vocabulary, results.language) for name in support if not support[name]],
        "legend": legend,
        "first": named[0].system if named else None,
    }


def class_support(results: Results) -> dict[str, int]:
    """How many of the studies have each finding."""
    support: dict[str, int] = {}
    for row in results.rows:
        for name, figures in row.metrics.get("per_class", {}).items():
            support.setdefault(name, int(figures.get("support") or 0))
    return support


def protocol_chart(results: Results) -> dict[str, Any] | None:
    """F1 of every row under every protocol of clinical efficacy, on one axis; None where no row has a grid."""
    rows = [row for row in results.rows if row.clinical is not None and row.clinical["rows"]]
    if not rows:
        return None
    values = [float(cell["f1"]) for row in rows for cell in (row.clinical["rows"] if row.clinical else ())]
    axis = round_axis(values, scale=100, most=_SHARE)
    return {
        "axis": axis.to_mapping(),
        "rows": [_spread(row, row.clinical["rows"], axis) for row in rows if row.clinical is not None],
    }


def _spread(row: Row, cells: Sequence[Mapping[str, Any]], axis: Axis) -> dict[str, Any]:
    lowest, highest = min(cells, key=lambda cell: cell["f1"]), max(cells, key=lambda cell: cell["f1"])
    headline = next((cell for cell in cells if cell["headline"]), None)
    return {
        "name": row.system,
        "kind": row.kind,
        "points": [axis.at(cell["f1"]) for cell in cells if cell is not headline],
        "at": None if headline is None else axis.at(headline["f1"]),
        "low": axis.at(lowest["f1"]),
        "high": axis.at(highest["f1"]),
        "text": "–" if headline is None else f"{100 * headline['f1']:.1f}",
        "range": f"{100 * lowest['f1']:.1f}–{100 * highest['f1']:.1f}",
    }


def _axis(values: Sequence[float], metric: str) -> Axis:
    if metric_column(metric).percent:
        return round_axis(values, scale=100, most=max(_SHARE, *values))
    return round_axis(values)


def _value(row: Row, metric: str) -> float:
    value = row.value(metric)
    return -1.0 if value is None else value


def _class_f1(row: Row, name: str) -> float | None:
    value = row.metrics.get("per_class", {}).get(name, {}).get("f1")
    return float(value) if isinstance(value, (int, float)) else None
