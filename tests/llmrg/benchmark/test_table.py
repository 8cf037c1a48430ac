from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from typing import Any

import pytest
from rich.console import Console

from llmrg.benchmark.columns import column_of, format_value, table_columns
from llmrg.benchmark.latex import escape_latex, latex_table
from llmrg.benchmark.markdown import markdown_table
from llmrg.benchmark.result_parts import PairedResult, PublishedTable
from llmrg.benchmark.results import Results, Row
from llmrg.benchmark.table import console_lines, console_table, csv_table

HEADLINE = ("r2gen/14/macro", "bleu_4")


def row(name: str, kind: Any, f1: float, **more: Any) -> Row:
    metrics = {"r2gen/14/macro": f1, "bleu_4": 0.1, "clinical_micro_f1": f1, "side_accuracy": None, "per_class": {}}
    intervals = {"r2gen/14/macro": (f1 - 0.1, f1 + 0.1)}
    return Row(system=name, kind=kind, metrics=metrics, confidence_intervals=intervals, **more)


def test_of(first: str, second: str, better: str | None, metric: str = HEADLINE[0]) -> PairedResult:
    return {
        "metric": metric, "first": first, "second": second, "purpose": "systems", "difference": 0.2, "low": 0.1,
        "high": 0.3, "p": 0.001, "p_holm": 0.002, "trials": 999, "better": better,
    }  # fmt: skip


test_of.__test__ = False  # type: ignore[attr-defined]

PUBLISHED: PublishedTable = {
    "name": "Their table",
    "protocol": "cut references",
    "known": ["a slip"],
    "sources": {"paper": "Somebody 2024"},
    "rows": [
        {"system": "Best|ever", "metrics": {"bleu_4": 0.999}, "source": "paper", "table": "Their table", "known": ["x"]}
    ],
}
GATE: Any = {"passed": False, "checks": [], "note": "Does not work: bleu_4 1.0 % is not at least 2.0 %."}
RESULTS = Results(
    dataset="made_up",
    split="test",
    n=4,
    patients=3,
    language="en",
    rows=(
        row("ours|1_&", "system", 0.8, gate=GATE, notes=("2 of 4 reports are empty.",)),
        row("other", "system", 0.9),
        row("nearest", "baseline", 0.4),
        row("oracle", "oracle", 0.95),
    ),
    headline=HEADLINE,
    tests=(
        test_of("ours|1_&", "other", "ours|1_&"),
        test_of("ours|1_&", "nearest", "ours|1_&"),
        test_of("other", "nearest", None),
    ),
    published=(PUBLISHED,),
    leakage={
        "patients": {"train and test": 7},
        "duplicate_ids": 2,
        "references_in_training": 3,
        "share": 0.75,
        "distinct_references": 2,
        "kept_from_baselines": 5,
    },
)


def test_headline_metrics_lead_and_undefined_ones_are_left_out() -> None:
    assert [column.metric for column in table_columns(RESULTS)] == [*HEADLINE, "clinical_micro_f1"]
    assert column_of("rrg/5/micro").label == "rrg/5/micro"
    assert format_value(None, column_of("bleu_4")) == "–"


def test_csv_has_every_figure_with_its_interval() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_table(RESULTS))))
    assert [one["system"] for one in rows] == ["ours|1_&", "other", "nearest", "oracle"]
    assert float(rows[0]["r2gen/14/macro_high"]) == pytest.approx(0.9)
    assert rows[0]["side_accuracy"] == ""


def test_markdown_has_all_that_has_to_stand_beside_the_table() -> None:
    text = markdown_table(RESULTS)
    assert "| **ours\\|1_&** | 80.0 (70.0–90.0) |" in text
    assert "Does not work" in text
    assert "| r2gen/14/macro | other | nearest | +20.0 | +10.0 to +30.0 | 0.0020 | no difference shown |" in text
    assert "3 of 4 (75.0 %)" in text
    assert "train and test: 7" in text
    theirs = text[text.index("### Published figures") :]
    assert "not ranked" in theirs
    assert "| Best\\|ever | 0.999 | paper | x |" in theirs
    for name in ("cut references", "a slip", "Somebody 2024"):
        assert name in theirs
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")]
    assert all(width > 2 for width in widths)


def test_latex_is_bold_only_where_tests_say_so() -> None:
    text = latex_table(RESULTS)
    assert r"ours|1\_\& & \textbf{80.0} {\scriptsize (70.0--90.0)}" in text
    assert r"other & 90.0 {\scriptsize" in text, "the highest number alone is not enough"
    assert text.count(r"\textbf") == 1
    assert "r2gen/14/macro" in text
    assert "made\\_up" in text
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    counts = {len(re.findall(r"(?<!\\)&", line)) for line in body.splitlines() if line.endswith(r"\\")}
    assert counts == {len(table_columns(RESULTS))}


def test_latex_prints_any_text() -> None:
    assert escape_latex("50% of A_B & {C} #1 $x$ ~^\\ 心影\n") == (
        r"50\% of A\_B \& \{C\} \#1 \$x\$ \textasciitilde{}\textasciicircum{}\textbackslash{} 心影 "
    )


def test_console_says_what_the_table_does_not() -> None:
    lines = "\n".join(console_lines(RESULTS))
    assert "ours|1_&: Does not work" in lines
    assert "7 in train and test" in lines
    assert "3 of 4 references (75.0 %)" in lines
    assert "no difference between other and nearest is shown" in lines
    assert "1 published rows" in lines
    assert "ours|1_&: 2 of 4 reports are empty." in lines
    assert "ours\\|1_&: 2 of 4 reports are empty." in markdown_table(RESULTS)


def test_console_table_fits_a_narrow_terminal() -> None:
    names = [column.metric for column in table_columns(RESULTS)]
    names += ["clinical_micro_precision", "clinical_micro_recall", "rouge_l", "cider", "distinct_ratio", "mean_length"]
    figures = dict.fromkeys(names, 1.0) | {"cider": 9.99, "mean_length": 123.4, "r2gen/14/macro": 0.4}
    wide = row("nearest_encoder", "baseline", 0.4)
    wide = dataclasses.replace(wide, metrics={**wide.metrics, **figures})
    console = Console(width=80, file=io.StringIO())
    console.print(console_table(dataclasses.replace(RESULTS, rows=(*RESULTS.rows, wide))))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "80.0 ±10.0" in shown
    assert "nearest_encoder" in shown
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_everything_is_json() -> None:
    json.dumps(dataclasses.asdict(RESULTS), allow_nan=False)
