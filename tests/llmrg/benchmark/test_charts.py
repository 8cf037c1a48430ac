from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from llmrg.benchmark.charts import class_chart, headline_metrics, protocol_chart, ranking_charts, systems_by_rank
from llmrg.benchmark.results import Results, Row

Make = Callable[..., Results]


def test_one_chart_a_headline_metric_with_every_row_at_its_place(rich_results: Make) -> None:
    results = rich_results()
    charts = ranking_charts(results)
    assert [chart["metric"] for chart in charts] == ["bleu_4", "rouge_l", "clinical_micro_f1", "graph_f1"]
    for chart in charts:
        last = float(chart["axis"]["ticks"][-1]["text"]) / 100  # all are parts of one, written in percent
        for line in chart["rows"]:
            row = results.row(line["name"])
            assert row is not None
            value = row.metrics[chart["metric"]]
            low, high = row.confidence_intervals[chart["metric"]]
            assert line["at"] == pytest.approx(100 * value / last, abs=0.01)
            assert line["low"] == pytest.approx(100 * low / last, abs=0.01)
            assert line["high"] == pytest.approx(100 * high / last, abs=0.01)
            assert line["text"] == f"{100 * value:.1f}"
            assert line["interval"] == f"{100 * low:.1f}–{100 * high:.1f}"


def test_rows_stand_by_rank_with_oracles_below(rich_results: Make) -> None:
    for chart in ranking_charts(rich_results()):
        kinds = [line["kind"] for line in chart["rows"]]
        assert kinds.index("oracle") == len(kinds) - kinds.count("oracle")
        places = [line["at"] for line in chart["rows"] if line["kind"] != "oracle"]
        assert places == sorted(places, reverse=True)


def test_seeds_are_dots_of_their_own(rich_results: Make) -> None:
    chart = ranking_charts(rich_results())[0]
    last = float(chart["axis"]["ticks"][-1]["text"]) / 100
    line = next(line for line in chart["rows"] if line["name"] == "llmrg")
    mean = 0.2 + 0.18 * 0.82
    bleu = mean * (1.9 - 0.88)
    assert line["seeds"] == pytest.approx([100 * (bleu + step) / last for step in (-0.012, 0, 0.012)], abs=0.01)
    assert all(not other["seeds"] for other in chart["rows"] if other["name"] != "llmrg")


def test_a_headline_metric_without_figures_is_left_out(rich_results: Make) -> None:
    results = replace(rich_results(), headline=("nothing", "rouge_l"))
    assert headline_metrics(results) == ["rouge_l"]
    assert next(row.system for row in systems_by_rank(results)) == "llmrg"


def test_findings_stand_by_support_with_four_marks_at_most(rich_results: Make) -> None:
    names = tuple(f"system {place}" for place in range(7))
    results = rich_results(systems=names)
    chart = class_chart(results)
    supports = [row["support"] for row in chart["rows"]]
    assert supports == sorted(supports, reverse=True)
    assert 0 not in supports
    assert chart["absent"], "a finding that no study has is named"
    own = [key["shape"] for key in chart["legend"]]
    assert own == ["disc", "diamond", "square", "triangle", "tick", "ring", "other"]
    assert chart["legend"][-1]["name"] == "3 further systems"
    first = results.rows[0].metrics["per_class"]["increased_lung_markings"]["f1"]
    line = next(row for row in chart["rows"] if row["label"].endswith("increased lung markings"))
    point = next(point for point in line["points"] if point["name"] == "system 0")
    assert point["at"] == pytest.approx(100 * first, abs=0.01)
    assert line["text"] == f"{100 * first:.0f}"
    ring = next(point for point in line["points"] if point["shape"] == "ring")
    assert set(line["span"]) == {point["at"], ring["at"]}


def test_the_spread_over_protocols_goes_from_the_least_to_the_greatest(rich_results: Make) -> None:
    results = rich_results("chexpert_plus")
    chart = protocol_chart(results)
    assert chart is not None
    last = float(chart["axis"]["ticks"][-1]["text"]) / 100
    for line, row in zip(chart["rows"], results.rows, strict=True):
        assert row.clinical is not None
        figures = [cell["f1"] for cell in row.clinical["rows"]]
        assert (line["low"], line["high"]) == pytest.approx(
            (100 * min(figures) / last, 100 * max(figures) / last), abs=0.01
        )
        assert len(line["points"]) == len(figures) - 1, "the headline has a mark of its own"


def test_results_without_systems_or_figures_have_empty_charts() -> None:
    bare = Results(
        dataset="d",
        split="test",
        n=1,
        patients=1,
        language="en",
        rows=(Row(system="random", kind="baseline", metrics={}),),
    )
    assert ranking_charts(bare) == []
    assert class_chart(bare)["rows"] == []
    assert protocol_chart(bare) is None
