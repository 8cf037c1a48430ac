"""The results for the console, and every figure as CSV."""

from __future__ import annotations

import csv
import io

from rich.box import SIMPLE_HEAD
from rich.table import Table

from llmrg.benchmark.columns import Column, column_of, format_value
from llmrg.benchmark.result_parts import PairedResult
from llmrg.benchmark.results import Results, Row

__all__ = ["console_lines", "console_table", "csv_table", "noted"]

_NARROW = 10
_ON_CONSOLE = (
    "clinical_micro_f1",
    "clinical_micro_precision",
    "clinical_micro_recall",
    "side_accuracy",
    "bleu_4",
    "rouge_l",
    "cider",
    "distinct_ratio",
    "mean_length",
)


def console_table(results: Results) -> Table:
    """Build the table that the command prints: headline metrics first, as many columns as 80 characters hold."""
    names = dict.fromkeys([*results.headline, *_ON_CONSOLE])
    columns = [column_of(name) for name in names if any(row.value(name) is not None for row in results.rows)][:_NARROW]
    lead = columns[0].metric if columns else ""
    table = Table(
        title=f"{results.dataset} · {results.split} · {results.n} studies of {results.patients} patients",
        caption=f"{lead} with ± half its 95 % interval (resampling patients); all in % but CIDEr and length. Oracles "
        "are told what is to be found: bounds, not systems.",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=0,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("System", overflow="fold")  # the only column that may break: figures stay whole
    for column in columns:
        table.add_column(column.short or column.label, justify="right", no_wrap=True)
    previous = None
    for row in results.rows:
        if previous not in (None, row.kind):
            table.add_section()
        previous = row.kind
        style = "bold" if row.kind == "system" else "dim" if row.kind == "oracle" else None
        table.add_row(row.system, *(_with_interval(row, column, lead) for column in columns), style=style)
    return table


def console_lines(results: Results) -> list[str]:
    """Say beside the table what it does not show: the gate, copies, leaks, tests that found no difference."""
    lines = [f"{row.system}: {row.gate['note']}" for row in results.rows if row.gate is not None]
    lines += [
        f"{row.system}: {100 * copied:.1f} % of its reports stand word for word in training."
        for row in results.rows
        if row.kind == "system" and (copied := row.value("copied_ratio"))
    ]
    lines += noted(results)
    lines += [_told(test) for test in results.tests if test["metric"] in results.headline[:1]]
    leak = results.leakage
    if leak is not None:
        shared = ", ".join(f"{count} in {pair}" for pair, count in leak["patients"].items() if count)
        lines += [f"Patients stand in several splits: {shared}."] if shared else []
        lines += [f"{leak['duplicate_ids']} scored ids stand in training too."] if leak["duplicate_ids"] else []
        lines.append(
            f"{leak['references_in_training']} of {results.n} references ({100 * leak['share']:.1f} %) stand word for "
            f"word in training; {leak['distinct_references']} are distinct."
        )
    if results.agreement is not None and results.agreement["mean_kappa"] is not None:
        lines.append(
            f"Labeler against the {results.agreement['second']}: mean kappa {results.agreement['mean_kappa']:.2f} over "
            f"{results.agreement['n']} references."
        )
    if results.published:
        count = sum(len(table["rows"]) for table in results.published)
        lines.append(f"{count} published rows, all under other protocols, stand in results.md and on the page.")
    return lines


def noted(results: Results) -> list[str]:
    """Return what is odd about reports and references, each note with the rows that it is about."""
    rows: dict[str, list[str]] = {}
    for row in results.rows:
        for note in row.notes:
            rows.setdefault(note, []).append(row.system)
    everywhere = len(results.rows)
    return [note if len(names) == everywhere else f"{', '.join(names)}: {note}" for note, names in rows.items()]


def _told(test: PairedResult) -> str:
    better = test["better"]
    first, second = test["first"], test["second"]
    if better is None:
        claim = f"no difference between {first} and {second} is shown"
    else:
        claim = f"{better} is better than {second if better == first else first}"
    return f"{test['metric']}: {claim} (p = {test['p_holm']:.4f} after Holm)."


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


def _with_interval(row: Row, column: Column, lead: str) -> str:
    shown = format_value(row.value(column.metric), column)
    bounds = row.confidence_intervals.get(column.metric)
    if bounds is None or column.metric != lead:
        return shown
    return f"{shown} ±{format_value((bounds[1] - bounds[0]) / 2, column)}"
