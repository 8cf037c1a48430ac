"""Cells of a grid over films, against means taken by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from llmrg.vision.regions import enlarged, strong_cells


def test_cells_are_those_with_a_mean_above_the_threshold() -> None:
    maps = torch.rand(3, 224, 224, generator=torch.Generator().manual_seed(0)) * 0.6
    maps[0, 32:48, 64:80] = 0.9
    maps[0, 0:16, 208:224] = 0.8
    maps[2, 100:110, 100:110] = 1.0
    found = strong_cells(maps, grid=14, threshold=0.75, most=6)
    assert [(cell.row, cell.column, cell.box) for cell in found[0]] == [
        (2, 4, (64, 32, 80, 48)),
        (0, 13, (208, 0, 224, 16)),
    ]
    assert [cell.strength for cell in found[0]] == pytest.approx([0.9, 0.8])
    assert found[1] == found[2] == []


@pytest.mark.parametrize(("size", "grid"), [(224, 14), (128, 14), (48, 14), (50, 7), (14, 14)])
def test_every_cell_is_the_mean_of_its_box(size: int, grid: int) -> None:
    maps = torch.rand(1, size, size, generator=torch.Generator().manual_seed(1))
    (cells,) = strong_cells(maps, grid=grid, threshold=0.0, most=grid**2)
    assert len(cells) == grid**2
    seen = np.zeros((size, size), dtype=int)
    for cell in cells:
        x0, y0, x1, y1 = cell.box
        assert cell.strength == pytest.approx(maps[0, y0:y1, x0:x1].double().mean().item(), abs=1e-9)
        seen[y0:y1, x0:x1] += 1
    assert seen.min() == 1
    assert seen.max() == (1 if size % grid == 0 else 4)
    assert [cell.strength for cell in cells] == sorted((cell.strength for cell in cells), reverse=True)


def test_at_most_so_many_and_the_threshold_itself_does_not_count() -> None:
    maps = torch.full((1, 28, 28), 0.75)
    maps[0, :, 14:] = 1.0
    (cells,) = strong_cells(maps, grid=4, threshold=0.75, most=3)
    assert [(cell.row, cell.column) for cell in cells] == [(0, 2), (0, 3), (1, 2)]  # equal ones from the upper left
    assert len(strong_cells(maps, grid=4, threshold=0.75, most=99)[0]) == 8


def test_pieces_are_scaled_up() -> None:
    rng = np.random.default_rng(0)
    piece = np.asarray(Image.fromarray(rng.integers(0, 256, (4, 4), dtype=np.uint8)).resize((16, 16)))
    large = enlarged(piece, size=224)
    assert large.shape == (1, 224, 224)
    assert large.dtype == torch.uint8
    middles = large[0, 7::14, 7::14].int().numpy()  # every pixel's middle, about
    assert np.abs(middles - piece.astype(int)).mean() < 6
    assert torch.equal(enlarged(np.full((9, 10), 77, dtype=np.uint8), size=32), torch.full((1, 32, 32), 77).byte())
    extreme = np.tile(np.array([0, 255], dtype=np.uint8), (8, 4))
    assert enlarged(extreme, size=64).float().mean().item() == pytest.approx(
        127.5, abs=6
    )  # overshoot is cut, not wrapped
