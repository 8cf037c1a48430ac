"""Findings on the lateral film, where left and right lie on each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llmrg.studies.phantoms.case import Lesion
from llmrg.studies.phantoms.frontal_findings import nodule_radius
from llmrg.studies.phantoms.grid import F32, Box, box_of, bump, soft
from llmrg.studies.phantoms.lateral import LateralChest
from llmrg.studies.phantoms.shapes import cloud, device_strokes, lobe, nodule, plates, zone_height

__all__ = ["draw_lateral_finding"]

Painter = Callable[[LateralChest, Lesion, float, np.random.Generator, float], F32 | None]


def draw_lateral_finding(
    chest: LateralChest, lesion: Lesion, rng: np.random.Generator, *, grade: float, contrast: float
) -> Box | None:
    """Add a finding to the film; arguments as in :func:`draw_frontal_finding`.

    Returns:
        Its box in pixels, or None if it does not show on this view.
    """
    mask = _PAINTERS[lesion.observation](chest, lesion, grade, rng, contrast)
    return None if mask is None else box_of(mask)


def _place(chest: LateralChest, lesion: Lesion, rng: np.random.Generator) -> tuple[float, float]:
    a = chest.anatomy
    sign = lesion.signs[0] if lesion.signs else 1
    v = zone_height(lesion.zone, top=a.top, dome=a.dome_of(sign)) + rng.uniform(-0.06, 0.06)
    u = rng.uniform(-0.1, 0.4) if lesion.zone != "lower" else rng.uniform(0.1, 0.5)
    return u * a.depth, v


def _patchy(chest: LateralChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float) -> F32:
    at = _place(chest, lesion, rng)
    mask = cloud(chest.grid, rng, at=at, reach=0.16 + 0.11 * grade, count=3 + round(3 * grade)) * chest.lung
    chest.attenuation += mask * np.float32((0.3 + 0.2 * grade) * contrast)
    return mask


def _consolidation(chest: LateralChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float) -> F32:
    mask = lobe(chest.grid, rng, at=_place(chest, lesion, rng), reach=0.25 + 0.12 * grade) * chest.lung
    chest.attenuation += mask * np.float32((0.5 + 0.2 * grade) * min(contrast, 1.15))
    return mask


def _nodule(chest: LateralChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float) -> F32:
    mask = nodule(chest.grid, at=_place(chest, lesion, rng), radius=nodule_radius(grade))
    chest.attenuation += mask * np.float32((0.42 + 0.14 * grade) * contrast)
    return mask


def _atelectasis(chest: LateralChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float) -> F32:
    at = _place(chest, lesion, rng)
    if lesion.kind == "plate":
        bands = plates(
            chest.grid, rng, at=at, length=0.17 + 0.1 * grade, thick=0.036 + 0.02 * grade, count=1 + round(1.6 * grade)
        )
        mask = bands * chest.lung
    else:
        mask = soft(1 - chest.grid.disc(at[0], at[1], 0.42, 0.13, 40.0), 0.4) * chest.lung
    chest.attenuation += mask * np.float32((0.36 + 0.24 * grade) * contrast)
    return mask


def _drawn(chest: LateralChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float) -> F32:
    return chest.lung  # drawn with the vessels


def _pneumothorax(
    chest: LateralChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float
) -> F32 | None:
    if grade < 0.3:
        return None
    a, grid = chest.anatomy, chest.grid
    gap = 0.12 + 0.3 * grade
    base = (a.dome[0] + a.dome[1]) / 2 + 0.3
    middle = (a.top + gap + base) / 2
    edge = (1 - grid.disc(0.12 * a.depth, middle, (1 - 0.8 * gap) * a.depth, base - middle, 8.0)) * np.float32(0.6)
    edge = np.where(grid.v > middle, np.float32(1), edge)
    space = soft(-edge, 0.03) * chest.lung
    chest.attenuation -= space * np.float32(0.12 * contrast)
    chest.attenuation += bump(edge, 0.02) * chest.lung * np.float32(0.16 * contrast)
    return space


def _effusion(chest: LateralChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float) -> F32:
    a, grid = chest.anatomy, chest.grid
    dome = sum(a.dome_of(sign) for sign in lesion.signs) / len(lesion.signs)
    bottom = dome + 0.45
    level = bottom - (0.13 + 0.5 * grade) * 0.8 * (bottom - a.top)
    # Fluid climbs higher behind than in front: the posterior angle goes first.
    lean = np.clip((chest.back - grid.u) / np.float32(2 * a.depth), 0, 1)
    mask = soft(grid.v - np.float32(level) - np.float32(0.32) * lean**0.8, 0.06) * chest.lung
    chest.attenuation += mask * np.float32(0.78 if len(lesion.signs) == 2 else 0.62)
    return mask


def _thickening(chest: LateralChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float) -> F32:
    a, grid = chest.anatomy, chest.grid
    v = zone_height(lesion.zone, top=a.top, dome=a.dome_of(lesion.signs[0]))
    depth = chest.back - grid.u
    if lesion.zone == "upper":
        depth = np.minimum(depth, grid.v - np.float32(a.top))
    mask = soft(np.float32(0.08 + 0.07 * grade) * (1 + np.float32(0.2) * grid.texture(rng, 12)) - depth, 0.04)
    mask = mask * soft(0.26 + 0.1 * grade - np.abs(grid.v - np.float32(v)), 0.12) * chest.lung
    chest.attenuation += mask * np.float32((0.3 + 0.15 * grade) * contrast)
    return mask


def _heart(chest: LateralChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float) -> F32:
    return chest.heart


def _fracture(chest: LateralChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float) -> None:
    return None


def _device(chest: LateralChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float) -> F32:
    a, grid = chest.anatomy, chest.grid
    top = grid.pose.centre[1] - grid.pose.span / 2 - 0.1
    dome = a.dome_of(1)
    solid = np.zeros_like(chest.attenuation)
    if lesion.kind == "endotracheal_tube":
        tip = a.heart_top - 0.14
        strokes = device_strokes([(-0.2, top), (-0.12, (top + tip) / 2), (0.0, tip)], width=0.045)
    elif lesion.kind == "gastric_tube":
        strokes = device_strokes(
            [(-0.15, top), (0.08, a.heart_top), (0.22, dome - 0.1), (0.05, dome + 0.16), (-0.2, dome + 0.28)],
            width=0.03,
        )
    elif lesion.kind == "central_line":
        strokes = device_strokes([(-0.2, top), (-0.22, a.top + 0.3), (-0.12, a.heart_top + 0.12)], width=0.028)
    else:
        at = (-0.5 * a.depth - 0.12, a.top + 0.4)
        solid = soft(1 - np.maximum(np.abs(grid.u - at[0]) / 0.05, np.abs(grid.v - at[1]) / 0.13), 0.3)
        strokes = device_strokes(
            [
                at,
                (-0.2, a.top + 0.4),
                (-0.12, a.heart_top + 0.2),
                (-0.3 * a.depth, dome - 0.14),
                (-0.62 * a.depth, dome - 0.1),
            ],
            width=0.026,
        )
    mask = np.maximum(grid.strokes(strokes), solid)
    chest.attenuation += mask * np.float32((0.5 + 0.25 * grade) * min(contrast, 1.2))
    return mask


_PAINTERS: dict[str, Painter] = {
    "increased_lung_markings": _drawn,
    "patchy_opacity": _patchy,
    "consolidation": _consolidation,
    "nodule": _nodule,
    "atelectasis": _atelectasis,
    "edema": _drawn,
    "pneumothorax": _pneumothorax,
    "pleural_effusion": _effusion,
    "pleural_thickening": _thickening,
    "cardiomegaly": _heart,
    "rib_fracture": _fracture,
    "support_device": _device,
}
