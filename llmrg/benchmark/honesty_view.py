"""What a reader of the figures has to know about the data: shared patients, copied references, copying rows."""

from __future__ import annotations

from typing import Any

from llmrg.benchmark.metric_words import figure, metric_column, name_of
from llmrg.benchmark.results import Results, Row

__all__ = ["honesty_view"]

_OUTPUT = ("distinct_ratio", "copied_ratio", "invented_priors")


def honesty_view(results: Results) -> dict[str, Any] | None:
    """Facts about the split with their verdicts, and how every row's reports vary; None where nothing is known."""
    facts = _facts(results)
    names = [name for name in _OUTPUT if any(row.value(name) is not None for row in results.rows)]
    empty = any(row.lengths is not None for row in results.rows)
    if not facts and not any(name != "distinct_ratio" for name in names) and not empty:
        return None
    columns = [{"label": name_of(name), "title": metric_column(name).title} for name in names]
    if empty:
        columns.append({"label": "Empty reports", "title": "Reports without a word"})
    return {
        "facts": facts,
        "columns": columns,
        "rows": [
            {
                "name": row.system,
                "kind": row.kind,
                "cells": [figure(row.value(name), name) for name in names] + ([_empty(row)] if empty else []),
            }
            for row in results.rows
        ],
    }


def _facts(results: Results) -> list[dict[str, Any]]:
    leakage = results.leakage
    if leakage is None:
        return []
    facts = [
        _fact(f"Patients in both {pair}", count, good="none", bad=f"{count} patients: these splits are not apart")
        for pair, count in leakage["patients"].items()
    ]
    duplicates, copied = leakage["duplicate_ids"], leakage["references_in_training"]
    facts.append(_fact("Scored studies that also stand in training", duplicates, good="none", bad=str(duplicates)))
    facts.append(
        _fact(
            "References that stand word for word in training",
            copied,
            good="none",
            bad=f"{copied} of {results.n} ({100 * leakage['share']:.1f}\u00a0%): a system that copies can win here",
        )
    )
    facts.append(
        {
            "name": "Different references",
            "text": f"{leakage['distinct_references']} of {results.n}",
            "tone": "plain",
        }
    )
    kept = leakage["kept_from_baselines"]
    if kept:
        facts.append(
            {"name": "Training studies of scored patients", "text": f"{kept}; no baseline copies them", "tone": "plain"}
        )
    return facts


def _fact(name: str, count: int, *, good: str, bad: str) -> dict[str, Any]:
    return {"name": name, "text": bad if count else good, "tone": "warn" if count else "good"}


def _empty(row: Row) -> str:
    return "–" if row.lengths is None else str(row.lengths["empty"])
