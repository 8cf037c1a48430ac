"""Counts of report graphs for the console, laid out as CN-RadGraph's tables."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from llmrg.findings.graphs.graph_file import GraphSummary
from llmrg.findings.graphs.keyword_names import ANATOMY_KEYWORDS, LESION_KEYWORDS

__all__ = ["statistics_tables"]


def statistics_tables(summary: GraphSummary) -> list[Table]:
    """Return a table of entities and relations and one of keywords.

    Args:
        summary: of a file of reports.
    """
    kinds = Table(title=f"Entities and relations of {summary.rows:,} reports", box=SIMPLE_HEAD)
    counts = {**summary.entities, **summary.relations}
    for name in counts:
        kinds.add_column(name, justify="right")
    kinds.add_row(*(f"{count:,}" for count in counts.values()))
    keywords = Table(title="Reports with a positive observation, by keyword", box=SIMPLE_HEAD)
    for name in ("anatomy", "", "reports", "lesion", "", "reports"):
        keywords.add_column(name, justify="right" if name == "reports" else "left")
    for anatomy, lesion in zip(ANATOMY_KEYWORDS, LESION_KEYWORDS, strict=True):
        keywords.add_row(
            anatomy,
            ANATOMY_KEYWORDS[anatomy],
            f"{summary.anatomy[anatomy]:,}",
            lesion,
            LESION_KEYWORDS[lesion],
            f"{summary.lesions[lesion]:,}",
        )
    return [kinds, keywords]
