"""The class table of a clinical grid on the console."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from llmrg.metrics.clinical_efficacy import ClinicalGrid

__all__ = ["class_table"]


def class_table(grid: ClinicalGrid) -> Table:
    """Return a table with a line a class: precision, recall, F1 and support of its statements, and agreement.

    F1 of positive statements has its interval beside it, where there is one; denials and hedges show their F1 and
    support, and the last columns how often both sides are in the same of the four states.
    """
    table = Table(box=SIMPLE_HEAD, title=f"Findings, class by class ({grid.vocabulary})", title_justify="left")
    table.add_column("")
    headings = (
        "precision",
        "recall",
        "F1",
        "interval of F1",
        "n",
        "denied F1",
        "n",
        "uncertain F1",
        "n",
        "same",
        "kappa",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in grid.classes:
        positive, negative, uncertain = (row.polarities[name] for name in ("positive", "negative", "uncertain"))
        interval = positive.intervals.get("f1")
        table.add_row(
            row.finding,
            *(f"{value:.3f}" for value in (positive.precision, positive.recall, positive.f1)),
            "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}",
            str(positive.support),
            f"{negative.f1:.3f}",
            str(negative.support),
            f"{uncertain.f1:.3f}",
            str(uncertain.support),
            f"{row.agreement:.3f}",
            "" if row.kappa is None else f"{row.kappa:.3f}",
        )
    return table
