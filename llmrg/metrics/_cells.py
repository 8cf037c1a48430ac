"""A box on the grid of a map: which cells it covers, and which points of the grid lie in it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Box", "CellBox", "Floats"]

Floats = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]
"""``(x0, y0, x1, y1)``: left, top, right and bottom edge in parts of the square's side."""


class CellBox:
    """A box on a grid of cells that covers the unit square.

    Args:
        box: the box; it must have an area.
        height: rows of the grid.
        width: columns of the grid.
        tolerance: distance, in parts of the square's side, that still counts as near; None takes half a cell.
        offset: by which the cells are moved to the right and down, in parts of the side; those at the border reach to
            the square's edge, what lies beyond it is cut off.

    Attributes:
        size: [h, w], area of each cell (1 without an offset).
        share: [h, w], the part of each cell that the box covers.
        inside: [h, w] bool, whether a cell's middle lies in the box.
        area: the box's part of the square.
        chance_near: the part of the cells whose middle is near.

    Raises:
        ValueError: a box without an area or outside of the square.
    """

    def __init__(
        self,
        box: Box,
        *,
        height: int,
        width: int,
        tolerance: float | None = None,
        offset: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        x0, y0, x1, y1 = box
        if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
            raise ValueError(f"a box must have an area inside of the square, not {box}")
        self._box = box
        self.tolerance = max(0.5 / height, 0.5 / width) if tolerance is None else tolerance
        columns, wide = _cover(x0, x1, width, offset[0])
        rows, high = _cover(y0, y1, height, offset[1])
        self.share: Floats = rows[:, None] * columns[None, :]
        self.size: Floats = high[:, None] * wide[None, :]
        distances = np.hypot(
            _outside(np.clip((np.arange(height) + 0.5) / height + offset[1], 0, 1), y0, y1)[:, None],
            _outside(np.clip((np.arange(width) + 0.5) / width + offset[0], 0, 1), x0, x1)[None, :],
        )
        self.inside = distances == 0
        # Half a cell is reached exactly by boxes that begin at a cell's border; rounding must not decide.
        self._near = distances <= self.tolerance * (1 + 1e-9)
        self.area = (x1 - x0) * (y1 - y0)
        self.chance_near = float(self._near.mean())

    def point(self, x: float, y: float) -> float:
        """Return how far a point lies from the box; 0 inside."""
        x0, y0, x1, y1 = self._box
        return float(np.hypot(_outside(np.array(x), x0, x1), _outside(np.array(y), y0, y1)))

    def hit(self, looked: Floats) -> float:
        """Return the part of the map's highest cells (mostly one) whose middle lies in the box."""
        return float(self.inside[looked == looked.max()].mean())

    def near(self, looked: Floats) -> float:
        """Return the part of the map's highest cells whose middle is near the box."""
        return float(self._near[looked == looked.max()].mean())

    def energy(self, looked: Floats) -> float:
        """Return the part of the map's sum that lies in the box; of an empty map, that of an even one."""
        total = looked.sum()
        return float((looked * self.share).sum() / total) if total > 0 else self.area

    def iou(self, looked: Floats, threshold: float) -> float:
        """Return intersection over union of the box and the cells of at least ``threshold`` times the maximum."""
        chosen = looked >= threshold * looked.max()
        covered = self.share * self.size
        common = covered[chosen].sum()
        return float(common / (self.size[chosen].sum() + covered.sum() - common))


def _cover(low: float, high: float, count: int, moved: float) -> tuple[Floats, Floats]:
    """The part of each of ``count`` pieces of [0, 1] that lies between low and high, and the pieces' lengths.

    The pieces are equal but for being moved; lengths are in those of equal ones.
    """
    edges = np.clip(np.arange(count + 1) / count + moved, 0, 1)
    edges[0], edges[-1] = 0, 1
    lengths = np.diff(edges)
    covered = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None)
    return np.divide(covered, lengths, out=np.zeros(count), where=lengths > 0), lengths * count


def _outside(points: Floats, low: float, high: float) -> Floats:
    return np.maximum(np.maximum(low - points, points - high), 0.0)
