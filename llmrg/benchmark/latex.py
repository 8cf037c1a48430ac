"""The results as a LaTeX table (booktabs) for a paper."""

from __future__ import annotations

import re

from llmrg.benchmark.columns import Column, format_value, table_columns
from llmrg.benchmark.results import Results, Row

__all__ = ["escape_latex", "latex_table"]

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_ANY = re.compile("|".join(map(re.escape, _SPECIAL)))


def escape_latex(text: str) -> str:
    """Return text that LaTeX prints as it is; control characters become spaces."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return _ANY.sub(lambda match: _SPECIAL[match.group()], printable)


def latex_table(results: Results) -> str:
    r"""Write a ``table`` with booktabs rules.

    Headline figures carry their 95 % interval. A figure is bold only where paired tests say that the system is better
    than every other system and than the strongest trivial baseline; the highest number alone is not enough.
    """
    columns = table_columns(results)
    lines = [
        r"% \usepackage{booktabs}; Chinese names need xeCJK or ctex",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_caption(results)}}}",
        rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
        " & ".join(["System", *(escape_latex(column.label) for column in columns)]) + r" \\",
        r"\midrule",
    ]
    previous = None
    for row in results.rows:
        if previous not in (None, row.kind):
            lines.append(r"\midrule")
        previous = row.kind
        name = escape_latex(row.system)
        cells = [_cell(row, column, results) for column in columns]
        lines.append(" & ".join([name if row.kind == "system" else rf"\emph{{{name}}}", *cells]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _caption(results: Results) -> str:
    text = (
        f"{escape_latex(results.title or results.dataset)}, {escape_latex(results.split)} split: {results.n} studies "
        f"of {results.patients} patients. Percent but for CIDEr and length, with 95\\,\\% intervals over patients. "
        "better than every other system and the strongest trivial baseline (paired randomisation, Holm, $p<0.05$). "
        "Rows in italics are no systems; oracles are told what is to be found."
    )
    if results.leakage is not None:
        leak = results.leakage
        text += f" {leak['references_in_training']} references occur verbatim in training."
    return text


def _cell(row: Row, column: Column, results: Results) -> str:
    value = row.value(column.metric)
    if value is None:
        return "--"
    text = format_value(value, column)
    if _best(row, column.metric, results):
        text = rf"\textbf{{{text}}}"
    bounds = row.confidence_intervals.get(column.metric) if column.metric in results.headline else None
    if bounds is None:
        return text
    return rf"{text} {{\scriptsize ({'--'.join(format_value(bound, column) for bound in bounds)})}}"


def _best(row: Row, metric: str, results: Results) -> bool:
    """Whether every paired test of this metric that the system took part in says that it is the better one."""
    tests = [
        test for test in results.tests if test["metric"] == metric and row.system in (test["first"], test["second"])
    ]
    return row.kind == "system" and bool(tests) and all(test["better"] == row.system for test in tests)
