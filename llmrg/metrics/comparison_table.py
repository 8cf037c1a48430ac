"""Compared systems as tables for a terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from llmrg.metrics.compare_command import ComparedSystems
from llmrg.metrics.comparison import Comparison, SystemFigure

__all__ = ["comparison_tables"]


def comparison_tables(compared: ComparedSystems) -> RenderableType:
    """Return the figures of every system, then one table and plain sentences for each pair."""
    figures = _table("Mean over runs, interval over patients, spread over runs")
    figures.add_column("metric", no_wrap=True)
    figures.add_column("system")
    for heading in ("figure", "interval", "sd of runs"):
        figures.add_column(heading, justify="right", no_wrap=True)
    for metric in compared.metrics:
        for place, (name, row) in enumerate(compared.figures.items()):
            figures.add_row("" if place else metric, name, *_figure(row[metric]))
    parts: list[RenderableType] = [figures]
    for comparison in compared.comparisons:
        parts += [_pair(comparison), *(Text(comparison.sentence(found.metric)) for found in comparison.metrics), Text()]
    parts += [Text(f"Note on {name}: {note}") for name, notes in compared.notes.items() for note in notes]
    return Group(*parts)


def _pair(comparison: Comparison) -> Table:
    runs = " and ".join(f"{count} run{'s' if count > 1 else ''}" for count in comparison.runs)
    studies = f"{comparison.n} studies of {comparison.patients} patients"
    table = _table(f"{comparison.first} minus {comparison.second} ({runs}; {studies})")
    table.add_column("metric", no_wrap=True)
    for heading in ("difference", "interval", "p", "p boot", "p Holm"):
        table.add_column(heading, justify="right", no_wrap=True)
    for found in comparison.metrics:
        interval = found.interval
        table.add_row(
            found.metric,
            "" if found.difference is None else f"{found.difference:+.4f}",
            "" if interval is None else f"{interval.low:+.4f} {interval.high:+.4f}",
            *("" if p is None else f"{p:.4f}" for p in (found.p, found.p_bootstrap, found.p_holm)),
        )
    return table


def _table(title: str) -> Table:
    return Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title, title_justify="left")


def _figure(figure: SystemFigure) -> tuple[str, str, str]:
    if figure.value is None:
        return "undefined", "", ""
    spread = figure.seeds.sd if figure.seeds is not None else None
    interval = figure.interval
    return (
        f"{figure.value:.4f}",
        "" if interval is None else f"{interval.low:.4f} {interval.high:.4f}",
        "" if spread is None else f"{spread:.4f}",
    )
