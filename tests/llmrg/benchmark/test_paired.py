from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from llmrg.benchmark.paired import compare_rows, paired_tests
from llmrg.benchmark.results import Row
from llmrg.benchmark.scoring import ScoredRow
from llmrg.errors import UserError
from llmrg.metrics.scores import score_reports

IDS = [f"s{i}" for i in range(8)]
REFERENCES = {id_: f"word{i} and some more words {i}" for i, id_ in enumerate(IDS)}


def scored(name: str, kind: Any, *right: int) -> ScoredRow:
    """A row that copies the first so many references, one number a seed."""
    runs = tuple(
        score_reports(
            {id_: REFERENCES[id_] if i < count else "other" for i, id_ in enumerate(IDS)},
            REFERENCES,
            language="en",
            resamples=0,
        )
        for count in right
    )
    means = {name: float(np.mean([run.metrics[name] for run in runs])) for name in ("bleu_4", "rouge_l")}
    return ScoredRow(row=Row(system=name, kind=kind, metrics=means), runs=runs)


HOW: Any = {"trials": 4000, "resamples": 200, "seed": 0}


def test_p_is_that_of_all_swaps() -> None:
    """ROUGE-L is a mean, so the exact p of swapping outputs can be counted over all 2^8 swaps."""
    first, second = scored("a", "system", 6), scored("b", "system", 2)
    found = compare_rows(first, {"rouge_l": second}, purpose="systems", **HOW)[0]
    gaps = np.array([0, 0, 1, 1, 1, 1, 0, 0])
    observed = gaps.mean()
    swaps = np.array(list(itertools.product((1, -1), repeat=8)))
    exact = np.mean(np.abs((swaps * gaps).mean(axis=1)) >= observed - 1e-12)
    assert found["difference"] == pytest.approx(observed)
    assert found["p"] == pytest.approx(exact, abs=0.02)
    assert found["low"] is not None
    assert found["high"] is not None
    assert found["low"] < observed < found["high"]


def test_every_pair_and_the_strongest_trivial_baseline_of_each_metric() -> None:
    rows = [
        scored("a", "system", 8),
        scored("b", "system", 1),
        scored("constant", "baseline", 2),
        scored("nearest", "baseline", 1),
        scored("nearest_encoder", "baseline", 7),
        scored("oracle_nearest", "oracle", 8),
    ]
    strong = replace(rows[3], row=replace(rows[3].row, metrics={"bleu_4": 0.1, "rouge_l": 0.99}))
    copied_by = {"b": "nearest_encoder"}  # the row of a system's own encoder; a has none
    found = paired_tests([*rows[:3], strong, *rows[4:]], ("rouge_l", "bleu_4"), **HOW, copied_by=copied_by)
    pairs = [(one["first"], one["second"], one["metric"], one["purpose"]) for one in found]
    assert pairs == [
        ("a", "b", "rouge_l", "systems"),
        ("a", "b", "bleu_4", "systems"),
        ("a", "nearest", "rouge_l", "baseline"),
        ("a", "constant", "bleu_4", "baseline"),
        ("b", "nearest", "rouge_l", "baseline"),
        ("b", "constant", "bleu_4", "baseline"),
        ("b", "nearest_encoder", "rouge_l", "encoder"),
        ("b", "nearest_encoder", "bleu_4", "encoder"),
    ]
    for one, other in zip(found[::2], found[1::2], strict=True):
        smaller, larger = sorted((one, other), key=lambda record: record["p"])
        assert smaller["p_holm"] == pytest.approx(min(1, 2 * smaller["p"]))
        assert larger["p_holm"] == pytest.approx(max(smaller["p_holm"], larger["p"]))
    assert found[0]["better"] == "a"
    assert found[0]["p_holm"] < 0.05
    assert found[4]["better"] is None


def test_seeds_are_averaged() -> None:
    several, one = scored("a", "system", 8, 4, 6), scored("b", "system", 6)
    found = compare_rows(several, {"rouge_l": one}, purpose="systems", **HOW)[0]
    assert found["difference"] == pytest.approx(0, abs=1e-12)
    assert found["better"] is None


def test_other_references_are_refused() -> None:
    first = scored("a", "system", 8)
    other = score_reports(REFERENCES, {**REFERENCES, "s0": "cut"}, language="en", resamples=0)
    second = ScoredRow(row=first.row, runs=(other,))
    with pytest.raises(UserError, match="references"):
        compare_rows(first, {"rouge_l": second}, purpose="systems", **HOW)


def test_without_resamples_there_is_no_interval() -> None:
    how = {**HOW, "resamples": 0}
    found = compare_rows(scored("a", "system", 8), {"rouge_l": scored("b", "system", 0)}, purpose="systems", **how)
    assert (found[0]["low"], found[0]["high"]) == (None, None)
