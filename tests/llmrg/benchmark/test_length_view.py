from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from llmrg.benchmark.length_view import length_view
from llmrg.benchmark.results import Results, Row

Make = Callable[..., Results]


def made(counts: list[int], **values: Any) -> Any:
    return {
        "unit": "words", "edges": [0, 10, 20, 30], "counts": counts, "mean": 12.34, "median": 12.0, "longest": 29,
        "empty": 0, **values,
    }  # fmt: skip


def results(counts: list[int], reference: list[int] | None) -> Results:
    row = Row(system="a", kind="system", metrics={}, lengths=made(counts, empty=2))
    bare = Results(dataset="d", split="test", n=4, patients=4, language="en", rows=(row,))
    return bare if reference is None else replace(bare, reference_lengths=made(reference))


def test_bars_are_shares_below_the_outline_of_the_references() -> None:
    view = length_view(results([2, 2, 0], [1, 2, 1]))
    assert view is not None
    # shares .5 .5 0 against .25 .5 .25: the highest of all, .5, is the top of the panel
    bars = view["panels"][0]["bars"]
    assert [(bar["x"], bar["y"], bar["height"], bar["cut"]) for bar in bars] == [(0, 0, 100, False), (1, 0, 100, False)]
    assert view["outline"] == "M0 100V50.00H1V0.00H2V50.00H3V100"
    assert view["ends"] == ["0", "15", "30+"]
    assert view["panels"][0]["empty"] == 2


def test_one_text_for_all_does_not_flatten_the_others() -> None:
    view = length_view(results([0, 8, 0], [2, 3, 3]))
    assert view is not None
    # the references' highest share is .375: the panel ends at .75, and the bar of 1 is cut there
    assert view["panels"][0]["bars"] == [{"x": 1, "y": 0.0, "height": 100.0, "cut": True}]
    heights = [100 - float(height) for height in re.findall(r"V([\d.]+)H", view["outline"])]
    assert heights == pytest.approx([100 * share / 0.75 for share in (0.25, 0.375, 0.375)], abs=0.01)


def test_without_references_or_lengths(rich_results: Make) -> None:
    view = length_view(results([1, 3, 0], None))
    assert view is not None
    assert (view["outline"], view["reference"]) == ("", None)
    bare = rich_results()
    assert length_view(replace(bare, rows=tuple(replace(row, lengths=None) for row in bare.rows))) is None
    assert length_view(results([0, 0, 0], [0, 0, 0])) is not None
