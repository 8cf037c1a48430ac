"""One dataset's part of a page: its table, charts, protocol and studies, as plain values for the template."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmrg.benchmark.charts import class_chart, ranking_chart
from llmrg.benchmark.results import Results, Row
from llmrg.benchmark.table import COLUMNS, Column, format_value

__all__ = ["EMPTY_GALLERY", "section_view"]

EMPTY_GALLERY: Mapping[str, Any] = {"studies": [], "chosen": "", "boxes": False}
_NOTES = {
    "constant": "one training report for everybody",
    "random": "a random training report",
    "nearest": "report of the nearest training film",
    "nearest_encoder": "report of the system's first hit",
    "oracle": "the truth in plain words",
}
_LANGUAGES = {"zh": "Chinese", "en": "English"}


def section_view(
    results: Results, gallery: Mapping[str, Any], *, page: str | None = None, preview: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Prepare one dataset for the template.

    Args:
        results: its figures.
        gallery: its studies (``studies``, ``chosen``, ``boxes``), as ``gallery.json`` holds them.
        page: address of its own page, relative to the page that is written.
        preview: the studies to show where only some are shown.
    """
    return {
        "results": results,
        "title": results.title or results.dataset,
        "anchor": re.sub(r"[^a-z0-9]+", "-", f"{results.dataset}-{results.split}".lower()).strip("-"),
        "summary": summary(results),
        "groups": _groups(),
        "columns": [{"label": c.label, "title": c.title, "first": _starts_group(c)} for c in COLUMNS],
        "blocks": _blocks(results),
        "ranking": ranking_chart(results),
        "classes": class_chart(results),
        "protocol": _protocol(results),
        "gallery": gallery,
        "page": page,
        "preview": list(preview),
    }


def summary(results: Results) -> str:
    """Say in a few sentences what was scored and how the best system stands."""
    language = _LANGUAGES.get(results.language, results.language)
    text = (
        f"{results.n} {language} studies of {results.patients} patients, "
        f"{results.split} split. {results.training_studies} training studies."
    )
    systems = [row for row in results.rows if row.kind == "system" and row.value("clinical_micro_f1") is not None]
    if not systems:
        return text + " No system yet: these are the baselines that one has to beat."
    best = max(systems, key=lambda row: row.value("clinical_micro_f1") or 0.0)
    text += (
        f" {best.system} states the findings with an F1 of {100 * (best.value('clinical_micro_f1') or 0.0):.1f}\u00a0%"
    )
    nearest, oracle, closed = results.row("nearest"), results.row("oracle"), results.closed(best)
    if closed is not None and nearest is not None and oracle is not None:
        text += (
            f"; copying the nearest training film's report reaches {_percent(nearest)}, the truth itself in plain "
            f"words {_percent(oracle)}. {best.system} closes {100 * closed:.0f}\u00a0% of that distance."
        )
    elif nearest is not None:
        text += f"; copying the nearest training film's report reaches {_percent(nearest)}."
    else:
        text += "."
    return text


def _percent(row: Row) -> str:
    return f"{100 * (row.value('clinical_micro_f1') or 0.0):.1f}\u00a0%"


def _starts_group(column: Column) -> bool:
    return next(c for c in COLUMNS if c.group == column.group) is column


def _groups() -> list[dict[str, Any]]:
    names = dict.fromkeys(column.group for column in COLUMNS)
    return [{"name": name, "span": sum(column.group == name for column in COLUMNS)} for name in names]


def _blocks(results: Results) -> list[tuple[str, list[dict[str, Any]]]]:
    blocks: list[tuple[str, list[dict[str, Any]]]] = []
    for kind in ("system", "baseline", "oracle"):
        rows = [row for row in results.rows if row.kind == kind]
        if rows:
            blocks.append((kind, [_table_row(row, results) for row in rows]))
    return blocks


def _table_row(row: Row, results: Results) -> dict[str, Any]:
    cells: list[dict[str, Any]] = []
    for column in COLUMNS:
        value = row.value(column.metric)
        bounds = row.confidence_intervals.get(column.metric)
        others = [other.value(column.metric) for other in results.rows if other.kind != "oracle"]
        best = max((number for number in others if number is not None), default=None)
        cells.append(
            {
                "text": format_value(value, column),
                "interval": "" if bounds is None else "–".join(format_value(bound, column) for bound in bounds),
                "bar": round(100 * value, 1) if value is not None and column.group == "Findings" else None,
                "best": column.ranked and row.kind != "oracle" and value is not None and value == best,
                "first": _starts_group(column),
            }
        )
    return {"name": row.system, "note": _NOTES.get(row.system, "") if row.kind != "system" else "", "cells": cells}


def _protocol(results: Results) -> list[tuple[str, str]]:
    lines = [(key.replace("_", " ").capitalize(), text) for key, text in results.protocol.items()]
    lines.append(("Signature", results.signature))
    lines.append(("Labeler", results.labeler))
    lines.append(("Seeds", ", ".join(f"{key} {seed}" for key, seed in results.seeds.items())))
    lines.append(("Versions", ", ".join(f"{key} {version}" for key, version in results.versions.items())))
    return [(key, text) for key, text in lines if text]
