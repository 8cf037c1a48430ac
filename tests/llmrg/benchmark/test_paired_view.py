from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from llmrg.benchmark.metric_words import name_of
from llmrg.benchmark.paired_view import p_text, paired_view
from llmrg.benchmark.results import Results

Make = Callable[..., Results]


def test_every_test_has_a_row_at_its_place(rich_results: Make) -> None:
    results = rich_results()
    tables = paired_view(results)
    assert [table["name"] for table in tables] == [name_of(metric) for metric in results.headline]
    for table, metric in zip(tables, results.headline, strict=True):
        ticks = [float(tick["text"].replace("\u2212", "-")) / 100 for tick in table["axis"]["ticks"]]
        rows = [row for block in table["blocks"] for row in block["rows"]]
        own = [test for test in results.tests if test["metric"] == metric]
        assert len(rows) == table["count"] == len(own)
        assert table["decided"] == sum(test["better"] is not None for test in own)
        for test in own:
            row = next(row for row in rows if (row["first"], row["second"]) == (test["first"], test["second"]))
            wide = ticks[-1] - ticks[0]
            for key, value in (("at", test["difference"]), ("low", test["low"]), ("high", test["high"])):
                assert value is not None
                assert row[key] == pytest.approx(100 * (value - ticks[0]) / wide, abs=0.02)
            assert row["text"].replace("\u2212", "-") == f"{100 * test['difference']:+.1f}"
            assert row["p_holm"] == p_text(test["p_holm"])


def test_the_baseline_comes_first_and_large_differences_above(rich_results: Make) -> None:
    blocks = paired_view(rich_results())[0]["blocks"]
    assert [block["title"] for block in blocks] == ["Against the strongest trivial baseline", "Systems pairwise"]
    for block in blocks:
        sizes = [abs(row["difference"]) for row in block["rows"]]
        assert sizes == sorted(sizes, reverse=True)


def test_one_system_has_all_its_metrics_in_one_table(rich_results: Make) -> None:
    (table,) = paired_view(rich_results(systems=("a",)))
    (block,) = table["blocks"]
    assert [row["metric"] for row in block["rows"]] == ["BLEU-4", "ROUGE-L", "Finding F1", "Graph F1"]
    assert table["axis"]["zero"] == 0


def test_no_tests_no_tables(rich_results: Make) -> None:
    assert paired_view(replace(rich_results(), tests=())) == []


@pytest.mark.parametrize(
    ("p", "text"),
    [(1.0, "1.00"), (0.2471, "0.25"), (0.0996, "0.10"), (0.0123, "0.012"), (0.0004, "0.0004"), (0.00009, "< 0.0001")],
)
def test_p_values(p: float, text: str) -> None:
    assert p_text(p) == text
