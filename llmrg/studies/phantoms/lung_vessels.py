"""Vessels of the lungs: branching lines that markings and oedema thicken, and spots that look like nodules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llmrg.studies.phantoms.grid import F32, Grid, Stroke, soft

if TYPE_CHECKING:
    from llmrg.studies.phantoms.frontal import FrontalChest

__all__ = ["branches", "draw_vessels"]


def branches(
    rng: np.random.Generator,
    *,
    root: tuple[float, float],
    aim: tuple[float, float],
    fan: float,
    count: int,
    length: float,
    width: float,
    strength: float,
    stretch: float = 1.0,
) -> list[Stroke]:
    """Grow a tree of vessels.

    Args:
        rng: source of its shape.
        root: where it starts, in chest coordinates.
        aim: middle direction of the fan, as an angle in degrees (0 to the viewer's right, 90 down), and its spread
            towards the ends.
        fan: opening of the fan, degrees.
        count: main branches.
        length: length of a main branch.
        width: width at the root.
        strength: strength at the root.
        stretch: factor on vertical lengths.

    Returns:
        Lines, thinner and fainter towards the ends.
    """
    strokes: list[Stroke] = []
    angles = np.deg2rad(aim[0] + fan * (np.linspace(-0.5, 0.5, count) + 0.25 * rng.normal(size=count) / count))
    for angle in angles:
        reach = length * rng.uniform(0.7, 1.05)
        bend = rng.normal(0, 0.5)
        steps = np.linspace(0, 1, 6)
        heading = angle + bend * steps
        line = np.cumsum(np.stack([np.cos(heading), stretch * np.sin(heading)], 1) * (reach / 6), axis=0)
        start = np.array(root) + rng.normal(0, (0.02, 0.05))
        line = np.concatenate([[[0.0, 0.0]], line]) + start
        for k in range(6):
            fade = 1 - 0.12 * k
            strokes.append(Stroke(points=line[k : k + 2], width=width * (1 - 0.14 * k), strength=strength * fade))
        for k, turn in ((2, 0.6), (3, -0.6), (4, 0.5)):
            way = heading[k] + turn * rng.uniform(0.6, 1.3)
            step = np.array([np.cos(way), stretch * np.sin(way)]) * reach * rng.uniform(0.25, 0.42)
            tip = line[k] + step + rng.normal(0, 0.02, 2)
            strokes.append(
                Stroke(
                    points=np.stack([line[k], line[k] + 0.55 * step, tip]), width=width * 0.5, strength=strength * 0.6
                )
            )
    return strokes


def draw_vessels(
    grid: Grid, chest: FrontalChest, rng: np.random.Generator, *, markings: float, edema: float, clutter: float
) -> None:
    """Add the vessels of both lungs to a frontal film.

    Args:
        grid: the film.
        chest: the film in the making; its attenuation is changed.
        rng: source of their shape.
        markings: grade of increased lung markings (0: none).
        edema: grade of oedema (0: none), which blurs and crowds them.
        clutter: how many and how large the vessels seen end-on are, 0 to 1.
    """
    a = chest.anatomy
    more = max(markings, 0.7 * edema)
    width = 0.038 * a.vessels * (1 + 0.35 * more)
    strength = min(1.0, 0.5 * a.vessels * (1 + 0.35 * more))
    strokes: list[Stroke] = []
    spots: list[tuple[float, float, float]] = []
    for sign in (-1, 1):
        root = (a.shift + sign * (a.mediastinum + 0.05), a.heart_top + (0.02 if sign > 0 else 0.1))
        strokes += branches(
            rng,
            root=root,
            aim=(0.0 if sign > 0 else 180.0, 0.0),
            fan=170.0,
            count=7 + round(4 * more),
            length=(0.62 + 0.22 * more) * (1.0 - 0.3 * a.collapse[(sign + 1) // 2]),
            width=width,
            strength=strength,
            stretch=1.15,
        )
        for _ in range(int(rng.integers(1, 3 + round(3 * clutter)))):
            angle = rng.uniform(-1.3, 1.3)
            away = rng.uniform(0.08, 0.3 + 0.2 * clutter)
            spots.append(
                (
                    root[0] + sign * away * np.cos(angle),
                    root[1] + away * np.sin(angle),
                    rng.uniform(0.018, 0.024 + 0.012 * clutter),
                )
            )
        if markings > 0:
            strokes += _reticulation(rng, sign, a.top, a.dome_of(sign), markings)
    field = chest.lungs[0] + chest.lungs[1]
    lines = grid.strokes(strokes)
    total: F32 = lines * np.float32(0.42)
    for u, v, radius in spots:
        total += soft(1 - grid.disc(u, v, radius), 0.6) * np.float32(0.22)
    for sign in (-1, 1):
        hilum = grid.disc(a.shift + sign * (a.mediastinum + 0.08), a.heart_top + 0.06, 0.11, 0.2)
        total += soft(1 - hilum, 1.1) * np.float32(0.15 * (1 + 0.6 * more))
    chest.vessels = total * field
    chest.attenuation += chest.vessels


def _reticulation(rng: np.random.Generator, sign: int, top: float, dome: float, grade: float) -> list[Stroke]:
    """Short crossing lines and small rings of thickened bronchi out to the edge of the lung."""
    strokes = []
    count = round(26 + 40 * grade)
    places = np.stack([sign * rng.uniform(0.25, 0.92, count), rng.uniform(top + 0.35, dome + 0.12, count)], axis=1)
    for place in places:
        away = np.arctan2(place[1] + 0.1, place[0])
        way = away + rng.normal(0, 0.45)
        step = np.array([np.cos(way), np.sin(way)]) * rng.uniform(0.05, 0.13)
        strokes.append(Stroke(points=np.stack([place - step, place + step]), width=0.017, strength=0.42 + 0.3 * grade))
    turn = np.linspace(0, 2 * np.pi, 9)
    for _ in range(3 + round(4 * grade)):
        at = np.array([sign * rng.uniform(0.3, 0.65), rng.uniform(-0.25, dome - 0.05)])
        ring = at + rng.uniform(0.025, 0.04) * np.stack([np.cos(turn), np.sin(turn)], 1)
        strokes.append(Stroke(points=ring, width=0.015, strength=0.5 + 0.3 * grade))
    return strokes
