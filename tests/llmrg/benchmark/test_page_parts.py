"""The page's tables as plain values: grid, classes, published figures, agreement, honesty, method, main table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from llmrg.benchmark.agreement_view import agreement_view
from llmrg.benchmark.grid_view import class_table, grid_view
from llmrg.benchmark.honesty_view import honesty_view
from llmrg.benchmark.method_view import method_view, protocol_tables
from llmrg.benchmark.metric_words import figure, interval, name_of, share, signed
from llmrg.benchmark.published_view import published_view
from llmrg.benchmark.results import Results
from llmrg.benchmark.table_view import every_figure, main_table
from llmrg.benchmark.words import class_label, mark_chinese

Make = Callable[..., Results]


def test_headline_metrics_lead_the_table_and_no_column_is_empty(rich_results: Make) -> None:
    results = rich_results()
    table = main_table(results)
    assert [column["label"] for column in table["columns"]][:4] == ["BLEU-4", "ROUGE-L", "Finding F1", "Graph F1"]
    assert table["groups"][0] == {"name": "Headline", "span": 4}
    assert sum(group["span"] for group in table["groups"]) == len(table["columns"])
    for column in range(len(table["columns"])):
        assert any(row["cells"][column]["text"] != "–" for _, rows in table["blocks"] for row in rows)
    assert [kind for kind, _ in table["blocks"]] == ["system", "baseline", "oracle"]


def test_best_and_level_follow_figures_and_tests(rich_results: Make) -> None:
    _, systems = main_table(rich_results(systems=("a", "b", "c")))["blocks"][0]
    bleu = [row["cells"][0] for row in systems]
    assert [cell["best"] for cell in bleu] == [True, False, False]
    assert [cell["level"] for cell in bleu] == [False, True, True], "differences below .03 are not clear"
    findings = [row["cells"][2] for row in systems]
    assert [cell["level"] for cell in findings] == [False, False, False]


def test_seeds_and_gate_stand_in_the_row(rich_results: Make) -> None:
    _, systems = main_table(rich_results())["blocks"][0]
    assert (systems[0]["seeds"], systems[0]["cells"][0]["spread"]) == (3, "sd 1.2")
    assert [row["gate"] for row in systems] == [True, True, True, False]


def test_every_figure_of_every_row_can_be_looked_up(rich_results: Make) -> None:
    results = rich_results()
    table = every_figure(results)
    assert {line["key"] for line in table["metrics"]} == set(results.rows[0].metrics) - {"per_class"}
    assert all(len(line["cells"]) == len(results.rows) for line in table["metrics"])


def test_the_grid_has_every_protocol_and_marks_the_headline(rich_results: Make) -> None:
    results = rich_results("chexpert_plus")
    view = grid_view(results)
    assert view is not None
    clinical = results.rows[0].clinical
    assert clinical is not None
    assert len(view["lines"]) == len(clinical["rows"])
    assert [line["key"] for line in view["lines"] if line["headline"]] == ["r2gen/14/macro"]
    for line, cell in zip(view["lines"], clinical["rows"], strict=True):
        assert line["cells"][0]["text"] == f"{100 * cell['f1']:.1f}"
    assert [row["name"] for row in view["full"]] == [row.system for row in results.rows]


def test_class_figures_with_support_and_intervals(rich_results: Make) -> None:
    results = rich_results()
    table = class_table(results)
    assert table is not None
    supports = [row["support"] for row in table["rows"]]
    assert supports == sorted(supports, reverse=True)
    assert 0 in supports, "the table keeps what the chart leaves out"
    f1 = results.rows[0].metrics["per_class"]["increased_lung_markings"]["f1"]
    row = next(row for row in table["rows"] if row["label"].endswith("increased lung markings"))
    assert row["cells"][0]["text"] == f"{100 * f1:.1f}"
    assert row["cells"][0]["interval"] == f"{100 * max(0, f1 - 0.09):.1f}–{100 * min(1, f1 + 0.08):.1f}"


def test_class_intervals_of_the_grid_serve_where_they_speak_of_the_same_figure(rich_results: Make) -> None:
    results = rich_results(systems=("a",))
    row = results.rows[0]
    assert row.clinical is not None
    classes = [
        {"finding": name, "positive": {"f1": f1, "intervals": {"f1": [0.25, 0.5]}}}
        for name, f1 in (("nodule", row.metrics["per_class"]["nodule"]["f1"]), ("edema", 2.0))
    ]
    bare = {
        name: {key: value for key, value in figures.items() if key != "interval"}
        for name, figures in row.metrics["per_class"].items()
    }
    row = replace(row, metrics={**row.metrics, "per_class": bare}, clinical={**row.clinical, "classes": classes})
    table = class_table(replace(results, rows=(row,)))
    assert table is not None
    shown = {line["label"].split()[-1]: line["cells"][0]["interval"] for line in table["rows"]}
    assert shown["nodule"] == "25.0–50.0"
    assert shown["edema"] == "", "another figure has another interval"


def test_published_rows_keep_their_own_protocol_and_notes(rich_results: Make) -> None:
    results = rich_results("chexpert_plus")
    view = published_view(results)
    assert [table["name"] for table in view] == [table["name"] for table in results.published]
    first, source = view[0], results.published[0]
    assert first["protocol"] == source["protocol"]
    assert len(first["rows"]) == len(source["rows"])
    notes = dict(first["notes"])
    for shown, row in zip(first["rows"], source["rows"], strict=True):
        assert [notes[mark] for mark in shown["marks"]] == row["known"]
        assert shown["cells"][first["columns"].index("BLEU-4")] == f"{row['metrics']['bleu_4']:.3f}"
    assert {row["name"] for row in first["ours"]} == {row.system for row in results.rows if row.kind == "system"}
    assert first["clinical"] == "r2gen/14/macro"
    column = first["columns"].index("CE F1")
    clinical = results.rows[0].clinical
    assert clinical is not None
    headline = next(cell for cell in clinical["rows"] if cell["headline"])
    own = next(row for row in first["ours"] if row["name"] == results.rows[0].system)
    assert own["cells"][column] == f"{headline['f1']:.3f}"


def test_a_published_table_without_figures_still_says_why(rich_results: Make) -> None:
    (table,) = published_view(rich_results())
    assert table["rows"] == []
    assert "No absolute figure" in table["known"][0]


def test_agreement_a_class(rich_results: Make) -> None:
    results = rich_results("chexpert_plus")
    view = agreement_view(results)
    assert view is not None
    assert results.agreement is not None
    for shown, line in zip(view["rows"], results.agreement["classes"], strict=False):
        assert shown["kappa"] == ("–" if line["kappa"] is None else f"{line['kappa']:.2f}")
        assert shown["at"] == (None if line["kappa"] is None else pytest.approx(100 * line["kappa"], abs=0.01))
    assert view["rows"][-1]["label"] == "all classes"
    assert agreement_view(rich_results()) is None


def test_data_honesty_has_verdicts(rich_results: Make) -> None:
    view = honesty_view(rich_results())
    assert view is not None
    tones = {fact["name"]: fact["tone"] for fact in view["facts"]}
    assert tones["Patients in both train and val"] == "good"
    assert tones["Patients in both train and test"] == "warn"
    assert tones["References that stand word for word in training"] == "warn"
    row = next(row for row in view["rows"] if row["name"] == "llmrg")
    assert row["cells"] == ["43.0", "12.0", "1.2", "2"]
    old = rich_results()
    rows = tuple(replace(row, lengths=None, metrics={"distinct_ratio": 0.5}) for row in old.rows)
    assert honesty_view(replace(old, leakage=None, rows=rows)) is None


def test_method_tells_signature_seeds_and_versions(rich_results: Make) -> None:
    results = rich_results()
    lines = {line["key"]: line["text"] for line in method_view(results)}
    assert lines["Signature"] == results.signature
    assert lines["Reference hash"] == results.reference_hash
    assert lines["Seeds of llmrg"] == "runs/a, runs/b, runs/c"
    (table,) = protocol_tables(results)
    assert (table["name"], table["columns"]) == ("words100", ["BLEU-4", "ROUGE-L"])


def test_names_and_figures() -> None:
    assert name_of("r2gen/14/macro") == "Finding F1 r2gen/14/macro"
    assert name_of("bleu_2") == "BLEU-2"
    assert figure(0.123, "bleu_4", unit=True) == "12.3\u00a0%"
    assert figure(1.234, "cider", unit=True) == "1.23"
    assert figure(None, "bleu_4", unit=True) == "–"
    assert interval((0.1, 0.25), "bleu_4") == "10.0–25.0"
    assert signed(-0.012, "bleu_4") == "\u22121.2"
    assert share(-0.05) == "\u22125.0"


def test_chinese_parts_of_a_text_name_their_language() -> None:
    assert mark_chinese("胸腔积液 effusion") == '<span lang="zh-Hans">胸腔积液</span> effusion'
    assert mark_chinese("<b>结节，</b>") == '&lt;b&gt;<span lang="zh-Hans">结节，</span>&lt;/b&gt;'
    assert class_label("nodule", "ped_xray", "zh") == "结节 nodule"
    assert class_label("nodule", "unheard of", "zh") == "nodule"
