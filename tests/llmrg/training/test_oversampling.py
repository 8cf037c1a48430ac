"""Oversampling: the published rule in numbers, members keep their shares, every epoch is a function of its seed."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from llmrg.config import load_config
from llmrg.studies.mixture_draw import MixtureDraw
from llmrg.training.material import TrainingMaterial, read_material
from llmrg.training.oversampling import OversamplingConfig, oversampled_draw, study_copies
from llmrg.training.settings import TrainConfig


def labels_of(counts: tuple[int, ...], *, normal: int = 0) -> np.ndarray:
    """Every study with one finding; normal ones at the end."""
    rows = np.zeros((sum(counts) + normal, len(counts)), dtype=bool)
    start = 0
    for finding, count in enumerate(counts):
        rows[start : start + count, finding] = True
        start += count
    return rows


def test_ten_times_at_most_and_five_thousand_at_most() -> None:
    counts = (131, 1500, 4999, 5000, 9000)
    copies = study_copies(labels_of(counts, normal=700), OversamplingConfig(), seed=0)
    bounds = np.cumsum((0, *counts, 700))
    made = [int(copies[a:b].sum()) for a, b in pairwise(bounds)]
    assert made[0] == 1310, "ten times"
    assert made[1] == pytest.approx(5000, abs=4 * (1500 * 2 / 9) ** 0.5), "capped: 10/3 copies of each on average"
    assert made[2] == pytest.approx(5000, abs=8)
    assert made[3:] == [5000, 9000, 700], "frequent findings and normal studies stand once"
    assert set(np.unique(copies[131 : 131 + 1500])) == {3, 4}


def test_the_rarest_finding_of_a_study_decides() -> None:
    labels = labels_of((40, 4000))
    labels[:40, 1] = True
    labels[40, 0] = False
    copies = study_copies(labels, OversamplingConfig(times=8, cap=200), seed=0)
    assert set(copies[:40]) == {5}, "200 / 40"
    assert set(copies[40:]) == {1}, "more of them than the cap: none is left out"


def test_a_study_with_no_finding_of_the_list_stands_once() -> None:
    assert study_copies(np.zeros((4, 3), dtype=bool), OversamplingConfig(), seed=1).tolist() == [1] * 4
    assert study_copies(np.zeros((4, 0), dtype=bool), OversamplingConfig(), seed=1).tolist() == [1] * 4


def test_settings() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        OversamplingConfig(times=0.5)


@pytest.fixture(scope="module")
def material(tiny_run: Any) -> TrainingMaterial:
    return read_material(load_config(TrainConfig, tiny_run.config).data)


def test_epochs_show_copies_and_are_the_same_when_read_again(material: TrainingMaterial) -> None:
    config = OversamplingConfig(times=3, same_length=False)
    draws = [oversampled_draw(material, None, config, seed=5) for _ in range(2)]
    shown = Counter(draws[0].epoch(0).tolist())
    normal = {row for row, study in enumerate(material.training) if not material.positive(study.id)}
    assert 0 < len(normal) < len(material.training)
    for row in range(len(material.training)):
        assert shown[row] == (1 if row in normal else 3)
    assert len(draws[0]) == sum(shown.values())
    assert np.array_equal(draws[0].epoch(4), draws[1].epoch(4))
    assert not np.array_equal(draws[0].epoch(0), draws[0].epoch(1))


def test_an_epoch_may_keep_its_length(material: TrainingMaterial) -> None:
    draw = oversampled_draw(material, None, OversamplingConfig(times=3), seed=5)
    assert len(draw) == len(material.training) == len(draw.epoch(0))
    epochs = Counter(np.concatenate([draw.epoch(number) for number in range(40)]).tolist())
    abnormal = [epochs[row] for row, study in enumerate(material.training) if material.positive(study.id)]
    normal = [epochs[row] for row, study in enumerate(material.training) if not material.positive(study.id)]
    assert np.mean(abnormal) / np.mean(normal) == pytest.approx(3, rel=0.05)


def test_members_of_a_mixture_keep_their_shares(material: TrainingMaterial) -> None:
    size = len(material.training)
    half = size // 2
    plain = MixtureDraw(rows=(np.arange(half), np.arange(half, size)), counts=(30, 10), seed=0)
    draw = oversampled_draw(material, plain, OversamplingConfig(times=4), seed=0)
    rows = draw.epoch(3)
    assert draw.counts == (30, 10)
    assert (rows < half).sum() == 30
