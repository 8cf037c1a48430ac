"""The pointing part of a row: complete, storable, and right at its ends."""

from __future__ import annotations

import json

import numpy as np
import pytest

from llmrg.benchmark.evidence_maps import JudgedMaps
from llmrg.benchmark.pointing_scores import Resampling, pointing_scores
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.metrics.pointing import StudyMaps

VOCABULARY = get_vocabulary("ped_xray")
QUERIES = len(VOCABULARY.abnormal)
GRID = 10


def judged(*, perfect: bool) -> JudgedMaps:
    """Studies of two films with one finding each, a box of 3 x 4 cells on each film; maps of it, or of all else."""
    rng = np.random.default_rng(0)
    maps, boxes = [], []
    for number in range(20):
        table, own = np.zeros((QUERIES, 2, GRID, GRID)), {}
        for film in range(2):
            x, y = rng.integers(0, GRID - 4, size=2)
            table[number % 3, film, y : y + 4, x : x + 3] = 1
            own[number % 3, film] = (x / GRID, y / GRID, (x + 3) / GRID, (y + 4) / GRID)
        maps.append(StudyMaps(maps=table if perfect else 1 - table, views=("frontal", "lateral")))
        boxes.append(own)
    return JudgedMaps(maps=tuple(maps), boxes=tuple(boxes), likely=({},) * 20)


def scores(perfect: bool, resamples: int = 50):
    resampling = Resampling(patients=[str(n // 2) for n in range(20)], resamples=resamples, seed=0)
    return pointing_scores(judged(perfect=perfect), VOCABULARY, threshold=0.5, resampling=resampling)


@pytest.mark.parametrize("perfect", [True, False])
def test_maps_of_the_boxes_and_of_all_else(perfect: bool) -> None:
    found = scores(perfect)
    json.dumps(found, allow_nan=False)
    pointing, overlap = found["pointing"], found["overlap"]
    end = 1.0 if perfect else 0.0
    assert (pointing["rate"], overlap["mean"], overlap["energy"]["mean"]) == (end, end, end)
    assert (pointing["study"]["rate"], overlap["study_energy"]["mean"]) == (end, end)
    assert pointing["interval"] == [end, end]
    for figure in (pointing, overlap, overlap["energy"]):
        assert figure["chance"] == pytest.approx(0.12)
    assert pointing["near"]["chance"] > 0.12
    assert (pointing["n"], pointing["study"]["n"]) == (40, 20)
    assert [(view["view"], view["n"]) for view in pointing["views"]] == [("frontal", 20), ("lateral", 20)]
    assert pointing["likely"]["n"] == 0
    assert pointing["likely"]["rate"] is None
    assert pointing["grids"] == [[GRID, GRID]]
    names = [finding.name for finding in VOCABULARY.abnormal[:3]]
    for classes in (pointing["classes"], overlap["classes"], pointing["near"]["classes"]):
        assert [line["finding"] for line in classes] == names
        assert sum(line["n"] for line in classes) == 40
    above = pointing["above_mean_map"]
    assert above == pytest.approx(pointing["rate"] - pointing["mean_map"])
    low, high = pointing["above_mean_map_interval"]
    assert low <= above <= high


def test_intervals_can_be_left_out() -> None:
    assert scores(True, resamples=0)["pointing"]["interval"] is None


def test_without_boxes_there_is_nothing() -> None:
    empty = judged(perfect=True)
    empty = JudgedMaps(maps=empty.maps, boxes=({},) * 20, likely=({},) * 20)
    assert (
        pointing_scores(
            empty, VOCABULARY, threshold=0.5, resampling=Resampling(patients=[""] * 20, resamples=0, seed=0)
        )
        == {}
    )
