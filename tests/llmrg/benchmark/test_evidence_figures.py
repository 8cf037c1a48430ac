from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from llmrg.benchmark.evidence_figures import evidence_figures
from llmrg.benchmark.reliability import reliability_plots
from llmrg.benchmark.results import Results, Row
from llmrg.benchmark.values import bounds_of, number_of, records_of

Make = Callable[..., Results]


def test_pointing_stands_with_chance_mean_map_readings_and_classes(rich_results: Make) -> None:
    view = evidence_figures(rich_results())
    assert view is not None
    pointing, overlap = view["places"]
    last = float(pointing["axis"]["ticks"][-1]["text"]) / 100
    whole = pointing["rows"][0]
    assert (whole["label"], whole["n"], whole["text"], whole["interval"]) == ("llmrg", 312, "71.0", "66.0–76.0")
    assert whole["at"] == pytest.approx(100 * 0.71 / last, abs=0.01)
    assert whole["chance"] == pytest.approx(100 * 0.14 / last, abs=0.01)
    assert whole["mean_map"] == pytest.approx(100 * 0.52 / last, abs=0.01)
    labels = [row["label"] for row in pointing["rows"]]
    assert labels[1:3] == ["within half a cell", "frontal films"]
    assert len(labels) == 3 + 5
    assert "50\u00a0% of its maximum" in overlap["meaning"]
    assert view["deletion"][0]["sources"][0]["resting"] == "62.0"
    assert view["notes"] == ["llmrg: overlap: made up"]


def test_confidence_on_the_diagonal_is_drawn_on_the_diagonal() -> None:
    bins = [
        {"count": 100, "confidence": 0.2, "accuracy": 0.2},
        {"count": 25, "confidence": 0.9, "accuracy": 0.5},
        {"count": 0, "confidence": None, "accuracy": None},
    ]
    row = Row(system="a", kind="system", metrics={}, evidence={"calibration": {"ece": 0.08, "n": 125, "bins": bins}})
    (plot,) = reliability_plots(row)
    assert [(point["x"], point["y"]) for point in plot["points"]] == [(20, 80), (90, 50)]
    large, small = (point["radius"] for point in plot["points"])
    assert large > small
    assert (plot["title"], plot["ece"]) == ("Stated confidence of a", "0.080")
    queries = replace(row, evidence={"calibration": {"ece": 0.08, "bins": bins, "queries": {"ece": 0.1, "bins": bins}}})
    assert len(reliability_plots(queries)) == 2


@pytest.mark.parametrize(
    "evidence",
    [{}, {"pointing": None}, {"pointing": {"rate": None}}, {"calibration": {"bins": "x"}}, {"deletion": [1]}],
)
def test_what_is_not_there_is_left_out(evidence: dict[str, object]) -> None:
    row = Row(system="a", kind="system", metrics={}, evidence=evidence)
    assert evidence_figures(Results(dataset="d", split="t", n=1, patients=1, language="en", rows=(row,))) is None


def test_values_of_another_kind_are_none() -> None:
    assert number_of(True) is None
    assert number_of("1") is None
    assert number_of(1) == 1.0
    assert bounds_of({"interval": [0.1, None]}) is None
    assert bounds_of({"interval": [0.1, 0.2]}) == (0.1, 0.2)
    assert records_of([{"a": 1}, 2]) == [{"a": 1}]
