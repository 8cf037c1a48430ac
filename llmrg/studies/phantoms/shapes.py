"""Shapes that findings are made of, alike in both views."""

from __future__ import annotations

import numpy as np

from llmrg.studies.phantoms.grid import F32, Grid, Stroke, bump, soft

__all__ = ["cloud", "device_strokes", "lobe", "nodule", "plates", "zone_height"]

_ZONE_CENTRES = {"upper": 0.3, "middle": 0.56, "lower": 0.84}


def zone_height(zone: str | None, *, top: float, dome: float) -> float:
    """Return v in the middle of a third of the lung."""
    return top + _ZONE_CENTRES[zone or "middle"] * (dome - top)


def cloud(grid: Grid, rng: np.random.Generator, *, at: tuple[float, float], reach: float, count: int) -> F32:
    """Return fluffy patches around a place: several soft blots, uneven inside, 0 to 1."""
    total = np.zeros((grid.size, grid.size), np.float32)
    for _ in range(count):
        u = at[0] + reach * rng.uniform(-0.8, 0.8)
        v = at[1] + reach * rng.uniform(-0.7, 0.7)
        radius = reach * rng.uniform(0.45, 0.7)
        blot = soft(1 - grid.disc(u, v, radius, radius * rng.uniform(0.7, 1.1), float(rng.uniform(-40, 40))), 1.1)
        total = np.maximum(total, blot * np.float32(rng.uniform(0.7, 1.0)))
    return total * (1 + np.float32(0.22) * grid.texture(rng, 24))


def lobe(grid: Grid, rng: np.random.Generator, *, at: tuple[float, float], reach: float) -> F32:
    """Return a dense area with one straight edge (a fissure) and branching air inside, 0 to 1."""
    uneven = np.float32(0.16) * grid.texture(rng, 11)
    shape = soft(1 - grid.disc(at[0], at[1], reach * 1.15, reach) + uneven, 0.45)
    tilt = rng.uniform(-0.25, 0.25)
    up = 1.0 if rng.random() < 0.5 else -1.0
    edge = at[1] - up * reach * 0.5
    fissure = soft(np.float32(up) * (grid.v - np.float32(edge) - np.float32(tilt) * (grid.u - np.float32(at[0]))), 0.04)
    air = []
    outwards = np.pi if at[0] < 0 else 0.0
    hub = np.array(at) - 0.7 * reach * np.array([np.cos(outwards), 0.0])
    for _ in range(4):
        way = outwards + rng.uniform(-0.8, 0.8) + np.linspace(0, rng.normal(0, 0.5), 6)
        line = hub + np.cumsum(np.stack([np.cos(way), np.sin(way)], 1) * reach * 0.2, axis=0)
        air.append(Stroke(points=line, width=0.022, strength=rng.uniform(0.5, 1.0)))
    return shape * fissure * (1 - np.float32(0.22) * grid.strokes(air)) * (1 + np.float32(0.06) * grid.texture(rng, 20))


def nodule(grid: Grid, *, at: tuple[float, float], radius: float) -> F32:
    """Return a round shadow with a fairly sharp edge, 0 to 1."""
    distance = grid.disc(at[0], at[1], radius, radius * 0.94)
    return soft(1 - distance, 0.35) * (np.float32(0.75) + np.float32(0.25) * np.clip(1 - distance, 0, 1))


def plates(
    grid: Grid, rng: np.random.Generator, *, at: tuple[float, float], length: float, thick: float, count: int
) -> F32:
    """Return straight, nearly horizontal bands, 0 to 1."""
    total = np.zeros((grid.size, grid.size), np.float32)
    for k in range(count):
        angle = float(rng.uniform(-22, 22))
        v = at[1] + (k - (count - 1) / 2) * thick * 3.2
        turn = np.deg2rad(angle)
        du, dv = grid.u - np.float32(at[0]), grid.v - np.float32(v)
        along = np.float32(np.cos(turn)) * du + np.float32(np.sin(turn)) * dv
        across = np.float32(np.cos(turn)) * dv - np.float32(np.sin(turn)) * du
        total = np.maximum(total, bump(across, thick) * soft(np.float32(length) - np.abs(along), 0.1))
    return total


def device_strokes(points: list[tuple[float, float]], *, width: float) -> list[Stroke]:
    """Return a smooth tube through points (quadratic through the middles)."""
    p = np.asarray(points, dtype=np.float64)
    at = np.linspace(0, len(p) - 1, 8 * (len(p) - 1) + 1)
    line = np.stack([np.interp(at, range(len(p)), p[:, i]) for i in (0, 1)], axis=1)
    for _ in range(8):
        line[1:-1] = (line[:-2] + 2 * line[1:-1] + line[2:]) / 4
    return [Stroke(points=line, width=width, strength=1.0)]
