"""The drawing surface: pixels of one film in chest coordinates, and the few shapes everything is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter1d

__all__ = ["AXIS", "F32", "Box", "Grid", "Pose", "Stroke", "box_of", "bump", "curve", "soft"]

F32 = NDArray[np.float32]
Box = tuple[float, float, float, float]

_REACH = 2.2
_CELLS = 4096
# Chest coordinates at which curves are tabulated (finer than a pixel of the largest film).
AXIS: F32 = np.linspace(-_REACH, _REACH, _CELLS, dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Pose:
    """How the chest lies on the film.

    Args:
        angle: rotation in the film's plane, degrees.
        centre: chest coordinates at the middle of the film.
        span: width of the film in half thorax widths.
        mirrored: whether the horizontal axis runs the other way (a lateral film facing right).
    """

    angle: float
    centre: tuple[float, float]
    span: float
    mirrored: bool = False


@dataclass(frozen=True, kw_only=True)
class Stroke:
    """A line: points ``[K, 2]`` in chest coordinates, its width there, its strength (0 to 1)."""

    points: NDArray[np.floating]
    width: float
    strength: float


class Grid:
    """Chest coordinates of every pixel.

    Args:
        size: height and width of the film in pixels.
        pose: how the chest lies on it.

    Attributes:
        u: horizontal chest coordinate ``[size, size]``, to the viewer's right.
        v: vertical chest coordinate ``[size, size]``, downwards.
    """

    def __init__(self, *, size: int, pose: Pose) -> None:
        self.size = size
        self.pose = pose
        turn = np.deg2rad(pose.angle)
        self._cos, self._sin = float(np.cos(turn)), float(np.sin(turn))
        self._flip = -1.0 if pose.mirrored else 1.0
        line = (((np.arange(size) + 0.5) / size - 0.5) * pose.span).astype(np.float32)
        x, y = line[None, :], line[:, None]
        cos, sin = np.float32(self._cos), np.float32(self._sin)
        self.u: F32 = np.float32(self._flip) * (cos * x + sin * y) + np.float32(pose.centre[0])
        self.v: F32 = (cos * y - sin * x) + np.float32(pose.centre[1])
        self._iu = self._cells(self.u)
        self._iv = self._cells(self.v)
        self._iabs = self._cells(np.abs(self.u))

    @staticmethod
    def _cells(values: F32) -> NDArray[np.intp]:
        cells = (values + np.float32(_REACH)) * np.float32((_CELLS - 1) / (2 * _REACH)) + np.float32(0.5)
        return np.clip(cells, 0, _CELLS - 1).astype(np.intp)

    def by_u(self, table: F32) -> F32:
        """Spread a curve tabulated over ``AXIS`` along u."""
        return table.take(self._iu)

    def by_abs_u(self, table: F32) -> F32:
        """Spread a curve tabulated over ``AXIS`` along the distance from the midline."""
        return table.take(self._iabs)

    def by_v(self, table: F32) -> F32:
        """Spread a curve tabulated over ``AXIS`` along v."""
        return table.take(self._iv)

    def disc(self, u: float, v: float, radius_u: float, radius_v: float | None = None, angle: float = 0.0) -> F32:
        """Return the elliptic distance from a centre: 0 there, 1 on the ellipse."""
        du, dv = self.u - np.float32(u), self.v - np.float32(v)
        if angle:
            c, s = np.float32(np.cos(np.deg2rad(angle))), np.float32(np.sin(np.deg2rad(angle)))
            du, dv = c * du + s * dv, c * dv - s * du
        return np.sqrt((du / np.float32(radius_u)) ** 2 + (dv / np.float32(radius_v or radius_u)) ** 2)

    def to_pixels(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map chest coordinates ``[K, 2]`` to pixel coordinates ``[K, 2]``."""
        points = np.asarray(points, dtype=np.float64)
        a = (points[:, 0] - self.pose.centre[0]) * self._flip
        b = points[:, 1] - self.pose.centre[1]
        x = self._cos * a - self._sin * b
        y = self._sin * a + self._cos * b
        return (np.stack([x, y], axis=1) / self.pose.span + 0.5) * self.size

    def strokes(self, strokes: Sequence[Stroke]) -> F32:
        """Draw lines on an empty film and return their strength ``[size, size]``."""
        fine = 3 if self.size <= 256 else 2 if self.size <= 640 else 1
        sheet = Image.new("L", (self.size * fine, self.size * fine))
        if not strokes:
            return np.zeros((self.size, self.size), np.float32)
        pen = ImageDraw.Draw(sheet)
        scale = fine * self.size / self.pose.span
        pixels = self.to_pixels(np.concatenate([stroke.points for stroke in strokes])) * fine
        start = 0
        for stroke in strokes:
            stop = start + len(stroke.points)
            width = stroke.width * scale
            whole = max(1, round(width))
            value = int(min(255.0, 255 * stroke.strength * min(1.0, width / whole)))
            pen.line(pixels[start:stop].ravel().tolist(), fill=value, width=whole)
            start = stop
        if fine > 1:
            sheet = sheet.reduce(fine)
        return np.asarray(sheet, dtype=np.float32) * np.float32(1 / 255)

    def texture(self, rng: np.random.Generator, cells: int) -> F32:
        """Return smooth noise of unit variance with ``cells`` bumps across the film, alike at every size."""
        noise = Image.fromarray(rng.standard_normal((cells, cells), dtype=np.float32))
        return np.asarray(noise.resize((self.size, self.size), Image.Resampling.BICUBIC), dtype=np.float32)


def curve(at: Sequence[float], values: Sequence[float], *, smooth: float = 0.08) -> F32:
    """Tabulate a curve through points over ``AXIS``, its corners rounded over ``smooth`` half thorax widths."""
    coarse = AXIS[::16]
    rounded = gaussian_filter1d(np.interp(coarse, at, values), smooth / float(coarse[1] - coarse[0]), mode="nearest")
    return np.interp(AXIS, coarse, rounded).astype(np.float32)


def soft(distance: F32, width: float) -> F32:
    """Return a smooth step from 0 to 1 around distance 0, ``width`` wide."""
    t = np.clip(distance * np.float32(1 / width) + np.float32(0.5), 0, 1)
    return t * t * (3 - 2 * t)


def bump(distance: F32, width: float) -> F32:
    """Return a smooth ridge of height 1 around distance 0 that ends at ``width`` on both sides."""
    t = np.clip(1 - np.abs(distance) * np.float32(1 / width), 0, 1)
    return t * t * (3 - 2 * t)


def box_of(mask: F32, *, share: float = 0.3, least: float = 0.0) -> Box | None:
    """Return the box in pixels around all that reaches ``share`` of the mask's maximum, or None if nothing does.

    Args:
        mask: how strongly a finding shows in each pixel, ``[H, W]``.
        share: threshold as a part of the maximum.
        least: a maximum below this counts as nothing.
    """
    peak = float(mask.max())
    if peak <= max(least, 1e-4):
        return None
    seen = mask > share * peak
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
