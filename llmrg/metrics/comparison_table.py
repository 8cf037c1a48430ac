"""Compared systems as tables for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from llmrg.metrics.compare_command import ComparedSystems
from llmrg.metrics.comparison import Comparison, SystemFigure

__all__ = ["comparison_tables"]


def comparison_tables(compared: ComparedSystems) -> RenderableType:
    """Return the figures of every system, then one table and plain sentences for each pair."""
    figures = Table(title="Figures (mean over runs, interval over patients; ± spread over runs)")
    figures.add_column("system")
    for metric in compared.metrics:
        figures.add_column(metric, justify="right")
    for name, row in compared.figures.items():
        figures.add_row(name, *(_figure(row[metric]) for metric in compared.metrics))
    parts: list[RenderableType] = [figures]
    for comparison in compared.comparisons:
        parts += [_pair(comparison), *(Text(comparison.sentence(found.metric)) for found in comparison.metrics), Text()]
    parts += [Text(f"Note on {name}: {note}") for name, notes in compared.notes.items() for note in notes]
    return Group(*parts)


def _pair(comparison: Comparison) -> Table:
    runs = " and ".join(f"{count} run{'s' if count > 1 else ''}" for count in comparison.runs)
    table = Table(
        title=f"{comparison.first} minus {comparison.second} ({runs}; {comparison.n} studies of "
        f"{comparison.patients} patients)"
    )
    table.add_column("metric")
    for column in ("difference", "interval", "p", "p (bootstrap)", "p (Holm)"):
        table.add_column(column, justify="right")
    for found in comparison.metrics:
        interval = found.interval
        table.add_row(
            found.metric,
            "" if found.difference is None else f"{found.difference:+.4f}",
            "" if interval is None else f"{interval.low:+.4f} to {interval.high:+.4f}",
            *("" if p is None else f"{p:.4f}" for p in (found.p, found.p_bootstrap, found.p_holm)),
        )
    return table


def _figure(figure: SystemFigure) -> str:
    if figure.value is None:
        return "undefined"
    text = f"{figure.value:.4f}"
    if figure.interval is not None:
        text += f" [{figure.interval.low:.4f}, {figure.interval.high:.4f}]"
    if figure.seeds is not None and figure.seeds.sd is not None:
        text += f" ± {figure.seeds.sd:.4f}"
    return text
