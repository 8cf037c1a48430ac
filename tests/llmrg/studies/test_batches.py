from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from llmrg.studies.batches import VIEW_CODES, collate_films
from llmrg.studies.study import Image, Study


def study(name: str, *views: str) -> Study:
    images = tuple(Image(path=Path(f"{name}{i}.png"), view=view) for i, view in enumerate(views))  # type: ignore[arg-type]
    return Study(id=name, patient_id=name, images=images, split="train", language="en")


def film(value: int, shape: tuple[int, int] = (4, 6)) -> np.ndarray:
    return np.full(shape, value, dtype=np.uint8)


def test_studies_with_different_numbers_of_views_share_a_tensor() -> None:
    studies = [study("a", "frontal"), study("b", "frontal", "lateral", "unknown"), study("c", "lateral", "lateral")]
    films = [[film(10)], [film(20), film(21), film(22)], [film(30), film(31)]]
    batch = collate_films(studies, films)
    assert len(batch) == 3
    assert batch.studies == tuple(studies)
    assert batch.pixels.shape == (3, 3, 1, 4, 6)
    assert batch.pixels.dtype == torch.uint8
    assert batch.pixels[..., 0, 0, 0].tolist() == [[10, 0, 0], [20, 21, 22], [30, 31, 0]]
    assert (batch.pixels == batch.pixels[..., :1, :1]).all()
    assert batch.view_mask.tolist() == [[True, False, False], [True] * 3, [True, True, False]]
    assert batch.views.tolist() == [
        [VIEW_CODES["frontal"], 0, 0],
        [VIEW_CODES["frontal"], VIEW_CODES["lateral"], VIEW_CODES["unknown"]],
        [VIEW_CODES["lateral"], VIEW_CODES["lateral"], 0],
    ]


def test_a_film_keeps_its_pixels_in_place() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(4, 6)
    turned = picture[:, ::-1]  # not contiguous
    batch = collate_films([study("a", "frontal", "lateral")], [[picture, turned]])
    assert np.array_equal(batch.pixels[0, 0, 0].numpy(), picture)
    assert np.array_equal(batch.pixels[0, 1, 0].numpy(), turned)


def test_it_moves_to_a_device_whole() -> None:
    batch = collate_films([study("a", "frontal")], [[film(1)]])
    moved = batch.to("meta")
    assert moved.pixels.is_meta
    assert moved.view_mask.is_meta
    assert moved.views.is_meta
    assert moved.studies == batch.studies
    assert not batch.pixels.is_meta


def test_batches_that_cannot_be_are_refused() -> None:
    one = study("a", "frontal")
    with pytest.raises(ValueError, match="at least one film"):
        collate_films([one, one], [[film(1)], []])
    with pytest.raises(ValueError, match="at least one film"):
        collate_films([], [])
    with pytest.raises(ValueError, match="differ in size"):
        collate_films([one, one], [[film(1)], [film(1, (1, 6))]])
    with pytest.raises(ValueError, match="more films than images"):
        collate_films([one], [[film(1), film(2)]])
    with pytest.raises(ValueError):
        collate_films([one], [[film(1)], [film(1)]])
