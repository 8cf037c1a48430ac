"""Regions of films: the cells of a grid in which an activation map is strong, and their pixels at a film's size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Cell", "enlarged", "strong_cells"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of the grid over a film.

    Args:
        row: from the top.
        column: from the left.
        box: (x0, y0, x1, y1) in pixels of the film, the ends not included.
        strength: mean of the activation map inside.
    """

    row: int
    column: int
    box: tuple[int, int, int, int]
    strength: float


def strong_cells(maps: Tensor, *, grid: int, threshold: float, most: int) -> list[list[Cell]]:
    """Find the cells in which maps are strong on average.

    A grid that does not divide the film has cells that overlap by a pixel (those of adaptive average pooling).

    Args:
        maps: [M, H, W] in [0, 1].
        grid: cells a row and a column.
        threshold: means above it count.
        most: cells of one map.

    Returns:
        Of each map its cells, the strongest first; where two are equal, the upper left one.
    """
    count, height, width = maps.shape
    means = functional.adaptive_avg_pool2d(maps.double().unsqueeze(1), grid).reshape(count, grid * grid)
    strengths, order = means.sort(dim=1, descending=True, stable=True)
    found: list[list[Cell]] = []
    for values, places in zip(strengths[:, :most].tolist(), order[:, :most].tolist(), strict=True):
        cells = []
        for strength, place in zip(values, places, strict=True):
            if strength > threshold:
                row, column = divmod(place, grid)
                top, bottom = _bounds(row, grid, height)
                left, right = _bounds(column, grid, width)
                cells.append(Cell(row=row, column=column, box=(left, top, right, bottom), strength=strength))
        found.append(cells)
    return found


def enlarged(piece: np.ndarray, *, size: int) -> Tensor:
    """Scale a piece of a film up to a film's size, bicubically.

    Args:
        piece: uint8 [h, w].
        size: side of the result.

    Returns:
        uint8 [1, size, size].
    """
    pixels = torch.from_numpy(np.ascontiguousarray(piece)).float()[None, None]
    large = functional.interpolate(pixels, size=(size, size), mode="bicubic", align_corners=False)
    return large.round().clamp(0, 255).to(torch.uint8)[0]


def _bounds(place: int, grid: int, length: int) -> tuple[int, int]:
    return place * length // grid, -((-(place + 1) * length) // grid)
