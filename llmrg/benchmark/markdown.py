"""The results as Markdown: the table, and everything that has to stand beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llmrg.benchmark.columns import Column, column_of, format_value, table_columns
from llmrg.benchmark.result_parts import PublishedTable
from llmrg.benchmark.results import Results, Row
from llmrg.benchmark.table import noted

__all__ = ["markdown_table"]


def markdown_table(results: Results) -> str:
    """Write the results, with intervals of the headline metrics, tests, leaks and published figures."""
    columns = table_columns(results)
    parts = [
        f"**{results.dataset}**, {results.split} split: {results.n} studies of {results.patients} patients.",
        _table(
            ["System", *(column.label for column in columns)],
            (
                [_name(row), *(_figure(row, column, interval=column.metric in results.headline) for column in columns)]
                for row in results.rows
            ),
        ),
        "Figures in percent but for CIDEr and length; with 95 % intervals over patients. Rows in italics are no "
        "systems; oracles are told what is to be found and bound what systems can reach.",
        *_gates(results),
        *_notes(results),
        *_seeds(results),
        *_tests(results),
        *_further(results),
        *_leakage(results),
        *_agreement(results),
        *_published(results.published),
        f"Signature: `{results.signature}`",
    ]
    return "\n\n".join(parts) + "\n"


def _gates(results: Results) -> list[str]:
    lines = [f"- {_escape(row.system)}: {row.gate['note']}" for row in results.rows if row.gate is not None]
    return ["### Does it work at all?", "\n".join(lines)] if lines else []


def _notes(results: Results) -> list[str]:
    notes = [f"- {_escape(note)}" for note in noted(results)]
    return ["### Notes", "\n".join(notes)] if notes else []


def _seeds(results: Results) -> list[str]:
    rows = [row for row in results.rows if row.seeds is not None]
    if not rows:
        return []
    cells = []
    for row in rows:
        figures = {} if row.seeds is None else row.seeds["figures"]
        names = [] if row.seeds is None else row.seeds["names"]
        texts = []
        for metric in results.headline:
            spread = figures.get(metric)
            column = column_of(metric)
            sd = None if spread is None else spread["sd"]
            mean = None if spread is None else spread["mean"]
            texts.append(f"{format_value(mean, column)} ± {format_value(sd, column)}")
        cells.append([_name(row), str(len(names)), *texts])
    return ["### Seeds: mean and standard deviation", _table(["System", "Runs", *results.headline], cells)]


def _tests(results: Results) -> list[str]:
    if not results.tests:
        return []
    rows = []
    for test in results.tests:
        column = column_of(test["metric"])
        bounds = (test["low"], test["high"])
        interval = "" if None in bounds else " to ".join(_signed(bound, column) for bound in bounds)
        better = test["better"] or "no difference shown"
        rows.append(
            [
                test["metric"],
                _escape(test["first"]),
                _escape(test["second"]),
                _signed(test["difference"], column),
                interval,
                f"{test['p_holm']:.4f}",
                _escape(better),
            ]
        )
    head = ["Metric", "First", "Second", "Difference", "95 % interval", "p (Holm)", "Better"]
    return ["### Paired tests", _table(head, rows)]


def _further(results: Results) -> list[str]:
    parts = []
    for name, words in results.protocols.items():
        metrics = list(next(iter(row.protocols[name]["metrics"] for row in results.rows)))
        columns = [column_of(metric) for metric in metrics]
        rows = [
            [_name(row), *(format_value(row.protocols[name]["metrics"][column.metric], column) for column in columns)]
            for row in results.rows
        ]
        signature = results.rows[0].protocols[name]["signature"]
        parts += [
            f"### Under the reference protocol {name}",
            f"{words[0].upper()}{words[1:]}. These figures do not compare with those above. `{signature}`",
            _table(["System", *(column.label for column in columns)], rows),
        ]
    return parts


def _leakage(results: Results) -> list[str]:
    leak = results.leakage
    if leak is None:
        return []
    pairs = "; ".join(f"{pair}: {count}" for pair, count in leak["patients"].items())
    lines = [
        f"- Patients in several splits: {pairs}.",
        f"- Scored ids that stand in training: {leak['duplicate_ids']}.",
        f"- References that stand word for word in training: {leak['references_in_training']} of {results.n} "
        f"({100 * leak['share']:.1f} %); distinct references: {leak['distinct_references']}.",
        f"- Training studies of scored patients, kept from every baseline: {leak['kept_from_baselines']}.",
    ]
    return ["### What training and test share", "\n".join(lines)]


def _agreement(results: Results) -> list[str]:
    found = results.agreement
    if found is None:
        return []
    rows = [
        [one["finding"], _plain(one["kappa"]), _plain(one["kappa_positive"]), _plain(one["agreement"])]
        for one in (*found["classes"], found["overall"])
    ]
    return [
        f"### Labeler against the {found['second']}",
        f"{found['first']} on {found['n']} references. Both sides of every figure above are labelled by it alone.",
        _table(["Finding", "Kappa", "Kappa, positive", "Agreement"], rows),
    ]


def _published(tables: Sequence[PublishedTable]) -> list[str]:
    if not tables:
        return []
    parts = [
        "### Published figures",
        "Measured by others under other protocols: another reference text, tokens, labeler or split. They stand here "
        "to be looked at and are not ranked with the rows above.",
    ]
    for table in tables:
        names = list(dict.fromkeys(name for row in table["rows"] for name in row["metrics"]))
        rows = [
            [_escape(row["system"]), *(_as_printed(row["metrics"].get(name)) for name in names), row["source"],
             _escape(" ".join(row["known"]))]
            for row in table["rows"]
        ]  # fmt: skip
        parts += [f"#### {table['name']}", f"Protocol: {table['protocol']}.", *table["known"]]
        if rows:
            parts.append(_table(["System", *names, "Source", "Known"], rows))
        parts.append("\n".join(f"- {name}: {where}" for name, where in table["sources"].items()))
    return parts


def _as_printed(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _signed(value: float | None, column: Column) -> str:
    return "–" if value is None else f"{value * (100 if column.percent else 1):+.{max(1, column.digits)}f}"


def _figure(row: Row, column: Column, *, interval: bool) -> str:
    text = format_value(row.value(column.metric), column)
    bounds = row.confidence_intervals.get(column.metric) if interval else None
    return text if bounds is None else f"{text} ({'–'.join(format_value(bound, column) for bound in bounds)})"


def _name(row: Row) -> str:
    return f"**{_escape(row.system)}**" if row.kind == "system" else f"*{_escape(row.system)}*"


def _escape(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|:--|" + "--:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
