"""Attention pictures: bright where the query looked, scaled over all views together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from llmrg.generation.pictures import SIDE, attention_overlay, save_attention_pictures


def test_overlay_leaves_what_was_not_looked_at() -> None:
    film = np.full((64, 64), 100, dtype=np.uint8)
    attention = np.zeros((4, 4), dtype=np.float32)
    plain = attention_overlay(film, attention)
    assert plain.shape == (SIDE, SIDE, 3)
    assert plain.dtype == np.uint8
    assert (plain == 100).all()
    attention[0, 0] = 1.0
    looked = attention_overlay(film, attention)
    assert abs(looked[-SIDE // 2 :, -SIDE // 2 :].astype(int) - 100).max() <= 2
    corner = looked[: SIDE // 8, : SIDE // 8].astype(float).mean(axis=(0, 1))
    assert corner[0] > 140  # the bright end of the colour map is yellow
    assert corner[0] > corner[2]


def test_pictures_hold_all_views_and_one_scale(tmp_path: Path) -> None:
    films = [np.full((32, 32), value, dtype=np.uint8) for value in (50, 50)]
    attention = torch.zeros(2, 3, 2, 2)  # a third view of another study in the batch
    attention[1, 0] = 1.0
    attention[1, 1] = 0.5
    names = save_attention_pictures(tmp_path / "s", films=films, attention=attention, chosen=[(1, "肺炎/左 a")])
    assert list(names) == ["肺炎/左 a"]
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [names["肺炎/左 a"]]
    with Image.open(tmp_path / "s" / names["肺炎/左 a"]) as picture:
        values = np.asarray(picture).astype(int)
    assert values.shape == (SIDE, 2 * SIDE, 3)
    left, right = values[:, :SIDE], values[:, SIDE:]
    assert abs(left - 50).mean() > abs(right - 50).mean() > 5


def test_nothing_chosen_makes_no_folder(tmp_path: Path) -> None:
    assert save_attention_pictures(tmp_path / "s", films=[], attention=torch.zeros(1, 1, 2, 2), chosen=[]) == {}
    assert not (tmp_path / "s").exists()


def test_attention_of_nothing_is_drawn(tmp_path: Path) -> None:
    film = [np.zeros((8, 8), dtype=np.uint8)]
    assert save_attention_pictures(tmp_path, films=film, attention=torch.zeros(1, 1, 2, 2), chosen=[(0, "a")])


def test_an_overlay_is_moved_by_its_offset() -> None:
    film, grid = np.zeros((64, 64), dtype=np.uint8), np.zeros((4, 4))
    grid[1, 1] = 1
    still, moved = (
        attention_overlay(film, grid, offset=offset).astype(int).sum(2) for offset in ((0.0, 0.0), (0.125, -0.0625))
    )
    right, down = round(0.125 * SIDE), round(-0.0625 * SIDE)
    np.testing.assert_array_equal(moved[: SIDE + down, right:], still[-down:, : SIDE - right])
    np.testing.assert_array_equal(moved[: SIDE + down, :right], np.repeat(still[-down:, :1], right, axis=1))
