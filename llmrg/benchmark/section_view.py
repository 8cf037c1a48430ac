"""One dataset's part of a page, as plain values for the template."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from typing import Any

from llmrg.benchmark.agreement_view import agreement_view
from llmrg.benchmark.charts import class_chart, protocol_chart, ranking_charts
from llmrg.benchmark.claims import claims, lede, tiles
from llmrg.benchmark.evidence_figures import evidence_figures
from llmrg.benchmark.grid_view import class_table, grid_view
from llmrg.benchmark.honesty_view import honesty_view
from llmrg.benchmark.length_view import length_view
from llmrg.benchmark.method_view import method_view, protocol_tables
from llmrg.benchmark.paired_view import paired_view
from llmrg.benchmark.published_view import published_view
from llmrg.benchmark.results import Results
from llmrg.benchmark.table_view import every_figure, main_table

__all__ = ["EMPTY_GALLERY", "section_view"]

EMPTY_GALLERY: Mapping[str, Any] = {"studies": [], "chosen": "", "boxes": False}


def section_view(
    results: Results,
    gallery: Mapping[str, Any],
    *,
    page: str | None = None,
    preview: Sequence[Mapping[str, Any]] = (),
    anchors: Collection[str] = (),
) -> dict[str, Any]:
    """Prepare one dataset for the template.

    Args:
        results: its figures.
        gallery: its studies (``studies``, ``chosen``, ``boxes``), as ``gallery.json`` holds them.
        page: address of its own page, relative to the page that is written.
        preview: the studies to show where only some are shown.
        anchors: anchors that other sections of the same page have.
    """
    anchor = _anchor(results, anchors)
    section: dict[str, Any] = {
        "results": results,
        "title": results.title or results.dataset,
        "anchor": anchor,
        "lede": lede(results),
        "tiles": tiles(results),
        "claims": claims(results),
        "table": main_table(results),
        "figures": every_figure(results),
        "rankings": ranking_charts(results),
        "classes": class_chart(results),
        "class_table": class_table(results),
        "grid": grid_view(results),
        "spread": protocol_chart(results),
        "tests": paired_view(results),
        "lengths": length_view(results),
        "honesty": honesty_view(results),
        "evidence": evidence_figures(results),
        "published": published_view(results),
        "agreement": agreement_view(results),
        "protocols": protocol_tables(results),
        "method": method_view(results),
        "gallery": gallery,
        "counts": _outcome_counts(gallery["studies"]),
        "page": page,
        "preview": list(preview),
    }
    section["contents"] = [(f"{anchor}-{key}", title) for key, title in _contents(section)]
    return section


def _anchor(results: Results, others: Collection[str]) -> str:
    """Letters and digits of dataset and split; numbered where another section has the same."""
    plain = re.sub(r"[^a-z0-9]+", "-", f"{results.dataset}-{results.split}".lower()).strip("-")
    return next(name for place in count(1) if (name := plain if place == 1 else f"{plain}-{place}") not in others)


def _contents(section: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Key and title of every part that the page of this dataset has, in its order."""
    parts = (
        ("summary", "Summary", section["tiles"] or section["claims"]),
        ("table", "All rows", True),
        ("ranking", "Rank", section["rankings"]),
        ("classes", "Findings", section["classes"]["rows"]),
        ("tests", "Paired tests", section["tests"]),
        ("clinical", "Clinical efficacy", section["grid"]),
        ("lengths", "Length", section["lengths"]),
        ("honesty", "Data honesty", section["honesty"]),
        ("evidence", "Evidence", section["evidence"]),
        ("agreement", "Shipped labels", section["agreement"]),
        ("studies", "Studies", section["gallery"]["studies"]),
        ("published", "Published figures", section["published"]),
        ("method", "Method", True),
    )
    return [(key, title) for key, title, present in parts if present]


def _outcome_counts(studies: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many studies of the gallery show each kind of error, or nothing but right findings."""
    outcomes = [set(study["outcomes"]) for study in studies]
    counts = {name: sum(name in found for found in outcomes) for name in ("wrong_side", "invented", "missed")}
    return counts | {"only_right": sum(found == {"right"} for found in outcomes), "all": len(outcomes)}
