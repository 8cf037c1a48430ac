"""How the figures were made, on the page: protocol, signatures, seeds, versions, and how to make them again."""

from __future__ import annotations

from typing import Any

from llmrg.benchmark.metric_words import figure, interval, name_of
from llmrg.benchmark.results import Results

__all__ = ["method_view", "protocol_tables"]


def method_view(results: Results) -> list[dict[str, Any]]:
    """Pairs of a heading and its text; ``code`` where it is to be read letter by letter."""
    lines = [(key.replace("_", " ").capitalize(), text, False) for key, text in results.protocol.items()]
    lines += [(f"Protocol {key}", text, False) for key, text in results.protocols.items()]
    lines.append(("Signature", results.signature, True))
    lines.append(("Labeler", results.labeler, True))
    lines.append(("Reference hash", results.reference_hash, True))
    lines.append(("Random seeds", ", ".join(f"{key} {seed}" for key, seed in results.seeds.items()), False))
    lines += [(f"Seeds of {row.system}", ", ".join(row.seeds["names"]), True) for row in results.rows if row.seeds]
    lines.append(("Versions", ", ".join(f"{key} {version}" for key, version in results.versions.items()), False))
    return [{"key": key, "text": text, "code": code} for key, text, code in lines if text]


def protocol_tables(results: Results) -> list[dict[str, Any]]:
    """A table for each further reference protocol: the same reports, other references, other figures."""
    names = dict.fromkeys(name for row in results.rows for name in row.protocols)
    tables: list[dict[str, Any]] = []
    for name in names:
        rows = [(row, row.protocols[name]) for row in results.rows if name in row.protocols]
        metrics = list(dict.fromkeys(metric for _, figures in rows for metric in figures["metrics"]))
        tables.append(
            {
                "name": name,
                "words": results.protocols.get(name, ""),
                "columns": [name_of(metric) for metric in metrics],
                "signature": next((figures["signature"] for _, figures in rows), ""),
                "rows": [
                    {
                        "name": row.system,
                        "kind": row.kind,
                        "cells": [
                            {
                                "text": figure(figures["metrics"].get(metric), metric),
                                "interval": interval(figures["confidence_intervals"].get(metric), metric),
                            }
                            for metric in metrics
                        ],
                    }
                    for row, figures in rows
                ],
            }
        )
    return tables
