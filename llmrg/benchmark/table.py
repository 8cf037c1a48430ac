"""The results table for the console, as CSV and as Markdown."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from llmrg.benchmark.results import Results, Row

__all__ = ["COLUMNS", "Column", "console_table", "csv_table", "format_value", "markdown_table"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One metric of the table.

    Args:
        metric: its key in ``results.json``.
        label: its heading.
        group: heading above it.
        digits: decimals shown.
        percent: whether it is a part of one, shown in percent.
        title: what it means, in one sentence.
        ranked: whether the best system is marked.
        short: heading on the console, where 80 characters have to hold the whole table; None takes ``label``.
    """

    metric: str
    label: str
    group: str
    digits: int
    title: str
    percent: bool = True
    ranked: bool = True
    short: str | None = None


COLUMNS: tuple[Column, ...] = (
    Column(metric="clinical_micro_f1", label="F1", group="Findings", digits=1,
           title="Harmonic mean of precision and recall over all findings of all studies"),
    Column(metric="clinical_micro_precision", label="Precision", group="Findings", digits=1, short="Prec",
           title="Part of the stated findings that are true"),
    Column(metric="clinical_micro_recall", label="Recall", group="Findings", digits=1, short="Rec",
           title="Part of the true findings that are stated"),
    Column(metric="clinical_macro_f1_supported", label="Macro F1", group="Findings", digits=1, short="Macro",
           title="Mean F1 of the findings that occur here: rare ones count as much as common ones"),
    Column(metric="side_accuracy", label="Side", group="Findings", digits=1, ranked=False,
           title="Of the sided findings stated rightly, the part with the right side"),
    Column(metric="bleu_4", label="BLEU-4", group="Wording", digits=1, short="BLEU",
           title="Overlap of word sequences of up to four words with the full reference"),
    Column(metric="rouge_l", label="ROUGE-L", group="Wording", digits=1, short="ROUGE",
           title="Longest common word sequence with the full reference"),
    Column(metric="cider", label="CIDEr", group="Wording", digits=2, percent=False,
           title="Overlap of telling word sequences; comparable within this test split only"),
    Column(metric="distinct_ratio", label="Distinct", group="Output", digits=1, ranked=False, short="Dist",
           title="Different reports per study: low means that one text is given to many"),
    Column(metric="mean_length", label="Length", group="Output", digits=1, percent=False, ranked=False, short="Len",
           title="Mean length of a report, in words (Chinese: characters)"),
)  # fmt: skip


def format_value(value: float | None, column: Column) -> str:
    """Write one figure as the tables show it; a dash where it is not defined."""
    if value is None:
        return "–"
    return f"{100 * value:.{column.digits}f}" if column.percent else f"{value:.{column.digits}f}"


def console_table(results: Results) -> Table:
    """Build the table that the command prints."""
    table = Table(
        title=f"{results.dataset} · {results.split} · {results.n} studies of {results.patients} patients",
        caption="F1 (± half the 95 % interval, resampling patients), precision, recall, macro F1 and side of the "
        "findings, BLEU-4, ROUGE-L and distinct reports in %; CIDEr; mean length",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=0,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("System", overflow="fold")  # the only column that may break: figures stay whole
    for column in COLUMNS:
        table.add_column(column.short or column.label, justify="right", no_wrap=True)
    previous = None
    for row in results.rows:
        if previous not in (None, row.kind):
            table.add_section()
        previous = row.kind
        style = "bold" if row.kind == "system" else "dim" if row.kind == "oracle" else None
        table.add_row(row.system, *(_with_interval(row, column) for column in COLUMNS), style=style)
    return table


def csv_table(results: Results) -> str:
    """Write every scalar figure of every row, with its interval, as CSV."""
    names = [name for name in dict.fromkeys(k for row in results.rows for k in row.metrics) if name != "per_class"]
    bounded = [name for name in names if any(name in row.confidence_intervals for row in results.rows)]
    header = [
        "dataset",
        "split",
        "n",
        "system",
        "kind",
        *names,
        *(f"{n}_{end}" for n in bounded for end in ("low", "high")),
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in results.rows:
        ends: list[object] = []
        for name in bounded:
            ends.extend(row.confidence_intervals.get(name, ("", "")))
        figures = [("" if row.metrics.get(name) is None else row.metrics[name]) for name in names]
        writer.writerow([results.dataset, results.split, results.n, row.system, row.kind, *figures, *ends])
    return text.getvalue()


def markdown_table(results: Results) -> str:
    """Write the table as Markdown, with what it was measured on."""
    lines = [
        f"**{results.dataset}**, {results.split} split: {results.n} studies of {results.patients} patients.",
        "",
        "| System | " + " | ".join(column.label for column in COLUMNS) + " |",
        "|:--|" + "--:|" * len(COLUMNS),
    ]
    for row in results.rows:
        name = row.system.replace("|", "\\|")
        name = f"**{name}**" if row.kind == "system" else f"*{name}*"
        lines.append(f"| {name} | " + " | ".join(format_value(row.value(c.metric), c) for c in COLUMNS) + " |")
    lines += ["", f"Signature: `{results.signature}`"]
    return "\n".join(lines) + "\n"


def _with_interval(row: Row, column: Column) -> str:
    shown = format_value(row.value(column.metric), column)
    bounds = row.confidence_intervals.get(column.metric)
    if bounds is None or column.metric != "clinical_micro_f1":
        return shown
    return f"{shown} ±{format_value((bounds[1] - bounds[0]) / 2, column)}"
