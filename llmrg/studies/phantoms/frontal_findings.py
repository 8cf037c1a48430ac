"""Findings on the frontal film."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llmrg.studies.phantoms.case import Lesion
from llmrg.studies.phantoms.frontal import FrontalChest
from llmrg.studies.phantoms.grid import F32, Box, Stroke, box_of, bump, soft
from llmrg.studies.phantoms.shapes import cloud, device_strokes, lobe, nodule, plates, zone_height

__all__ = ["draw_frontal_finding", "nodule_radius"]

Painter = Callable[[FrontalChest, Lesion, float, np.random.Generator, float], tuple[F32, float]]


def nodule_radius(grade: float) -> float:
    """Return a nodule's radius in chest coordinates."""
    return 0.055 + 0.085 * grade**1.3


def draw_frontal_finding(
    chest: FrontalChest, lesion: Lesion, rng: np.random.Generator, *, grade: float, contrast: float
) -> tuple[Box | None, float]:
    """Add a finding to the film.

    Args:
        chest: the film in the making; its attenuation is changed.
        lesion: what to draw.
        rng: source of its shape and exact place.
        grade: its degree as drawn, 0 to 1.
        contrast: factor on its attenuation.

    Returns:
        Its box in pixels (None if it does not show) and its size, as the part of the two lung fields that it takes
        (or, for the finding's own painter, another measure between 0 and 1).
    """
    mask, size = _PAINTERS[lesion.observation](chest, lesion, grade, rng, contrast)
    return box_of(mask), size


def _field(chest: FrontalChest) -> F32:
    return chest.lungs[0] + chest.lungs[1]


def _share(chest: FrontalChest, mask: F32) -> float:
    return float(np.mean(mask > 0.3) / max(1e-6, float(np.mean(_field(chest) > 0.3))))


def _place(chest: FrontalChest, sign: int, zone: str | None, rng: np.random.Generator) -> tuple[float, float]:
    a = chest.anatomy
    v = zone_height(zone, top=a.top, dome=a.dome_of(sign)) + rng.uniform(-0.07, 0.07)
    inner, outer = (0.36, 0.56) if zone == "upper" else (0.42, 0.72)
    if sign > 0 and zone == "lower":
        inner = 0.6
    return a.shift * 0.5 + sign * rng.uniform(inner, outer), v


def _patchy(
    chest: FrontalChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float
) -> tuple[F32, float]:
    mask = np.zeros_like(chest.attenuation)
    for sign in lesion.signs:
        at = _place(chest, sign, lesion.zone, rng)
        patch = cloud(chest.grid, rng, at=at, reach=0.19 + 0.12 * grade, count=3 + round(3 * grade))
        mask = np.maximum(mask, patch * chest.lung(sign))
    chest.attenuation += mask * np.float32((0.42 + 0.2 * grade) * contrast)
    return mask, _share(chest, mask)


def _consolidation(
    chest: FrontalChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float
) -> tuple[F32, float]:
    mask = np.zeros_like(chest.attenuation)
    for sign in lesion.signs:
        at = _place(chest, sign, lesion.zone, rng)
        mask = np.maximum(mask, lobe(chest.grid, rng, at=at, reach=0.27 + 0.14 * grade) * chest.lung(sign))
    chest.attenuation += mask * np.float32((0.62 + 0.22 * grade) * min(contrast, 1.15))
    return mask, _share(chest, mask)


def _nodule(
    chest: FrontalChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float
) -> tuple[F32, float]:
    radius = nodule_radius(grade)
    mask = nodule(chest.grid, at=_place(chest, lesion.signs[0], lesion.zone, rng), radius=radius)
    chest.attenuation += mask * np.float32((0.5 + 0.14 * grade) * contrast)
    return mask, radius


def _atelectasis(
    chest: FrontalChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float
) -> tuple[F32, float]:
    grid, a = chest.grid, chest.anatomy
    mask = np.zeros_like(chest.attenuation)
    for sign in lesion.signs:
        at = _place(chest, sign, lesion.zone, rng)
        if lesion.kind == "plate":
            thick = 0.04 + 0.022 * grade
            bands = plates(grid, rng, at=at, length=0.17 + 0.12 * grade, thick=thick, count=1 + round(1.6 * grade))
            mask = np.maximum(mask, bands * chest.lung(sign))
            continue
        # A collapsed lobe: a wedge with its tip at the hilum and one sharp, bowed edge.
        hilum = (a.shift + sign * (a.mediastinum + 0.02), a.heart_top + 0.1)
        du = np.float32(sign) * (grid.u - np.float32(hilum[0]))
        dv = grid.v - np.float32(hilum[1])
        if lesion.zone == "upper":
            wedge = soft(-dv - np.float32(0.05) - np.float32(0.55) * du, 0.05) * soft(0.62 - du, 0.2)
        elif lesion.zone == "lower":
            wedge = soft(dv - np.float32(0.12) - np.float32(1.25) * np.maximum(du, 0), 0.05) * soft(du + 0.05, 0.05)
        else:
            wedge = soft(np.float32(0.035) + np.float32(0.2) * du - np.abs(dv - np.float32(0.18)), 0.05) * soft(
                du, 0.05
            )
        mask = np.maximum(mask, wedge * chest.lung(sign))
    chest.attenuation += mask * np.float32((0.5 + 0.3 * grade) * contrast)
    return mask, _share(chest, mask)


def _edema(
    chest: FrontalChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float
) -> tuple[F32, float]:
    grid, a = chest.grid, chest.anatomy
    mask = np.zeros_like(chest.attenuation)
    lines: list[Stroke] = []
    for sign in (-1, 1):
        at = (a.shift + sign * (a.mediastinum + 0.16), a.heart_top + 0.16)
        wing = soft(1 - grid.disc(at[0], at[1], 0.42 + 0.2 * grade, 0.52 + 0.18 * grade), 1.2)
        mask += wing * chest.lung(sign)
        for k in range(5 + round(4 * grade)):
            v = a.dome_of(sign) + 0.08 - 0.06 * k
            inner = sign * (0.72 + 0.04 * rng.random())
            outer = sign * 0.95
            lines.append(Stroke(points=np.array([[inner, v], [outer, v + 0.01]]), width=0.014, strength=0.8))
    mask *= 1 + np.float32(0.2) * grid.texture(rng, 14)
    chest.attenuation += mask * np.float32((0.3 + 0.3 * grade) * contrast)
    chest.attenuation += grid.strokes(lines) * _field(chest) * np.float32(0.3 * contrast)
    return mask, _share(chest, mask)


def _markings(
    chest: FrontalChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float
) -> tuple[F32, float]:
    return _field(chest), 0.3 + 0.5 * grade  # drawn with the vessels


def _pneumothorax(
    chest: FrontalChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float
) -> tuple[F32, float]:
    grid, a = chest.grid, chest.anatomy
    sign = lesion.signs[0]
    gap = a.collapse[(sign + 1) // 2]
    height = np.clip((grid.v - np.float32(a.top)) / np.float32(a.dome_of(sign) - a.top), 0, 1)
    # Air rises: the gap is widest at the apex.
    inner = chest.lateral - np.float32(gap) * (np.float32(1.25) - np.float32(0.6) * height)
    below_apex = grid.v - np.float32(a.top + 0.75 * gap)
    edge = np.minimum(inner - np.abs(grid.u), below_apex * np.float32(0.9))
    lung = chest.lung(sign)
    space = soft(-edge, 0.03) * lung
    chest.attenuation -= space * (chest.vessels + np.float32(0.16 * contrast))
    chest.attenuation += bump(edge, 0.022) * lung * np.float32(0.26 * contrast)
    chest.attenuation += (lung - space) * np.float32(0.04 + 0.2 * grade)
    return space, gap


def _effusion(
    chest: FrontalChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float
) -> tuple[F32, float]:
    grid, a = chest.grid, chest.anatomy
    mask = np.zeros_like(chest.attenuation)
    filled = 0.13 + 0.5 * grade
    for sign in lesion.signs:
        own = filled * (rng.uniform(0.8, 1.1) if len(lesion.signs) > 1 else 1.0)
        bottom = a.dome_of(sign) + 0.24
        level = bottom - own * (bottom - a.top)
        au = np.abs(grid.u)
        # The meniscus: fluid stands highest at the wall.
        sag = np.float32(0.2) * (1 - np.clip(au / np.maximum(chest.lateral, 0.05), 0, 1) ** 3)
        mask = np.maximum(mask, soft((grid.v - np.float32(level) - sag).astype(np.float32), 0.07) * chest.lung(sign))
    chest.attenuation += mask * (chest.air * (1 - np.float32(0.55) * chest.heart) * np.float32(0.88) + np.float32(0.2))
    return mask, filled


def _thickening(
    chest: FrontalChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float
) -> tuple[F32, float]:
    grid, a = chest.grid, chest.anatomy
    mask = np.zeros_like(chest.attenuation)
    thick = np.float32(0.075 + 0.075 * grade)
    for sign in lesion.signs:
        uneven = 1 + np.float32(0.22) * grid.texture(rng, 12)
        if lesion.zone == "upper":
            depth = np.minimum(chest.lateral - np.abs(grid.u), grid.v - np.float32(a.top + 0.03))
            band = soft(thick * uneven - depth, 0.035) * soft(a.top + 0.36 + 0.1 * grade - grid.v, 0.1)
        else:
            v = zone_height(lesion.zone, top=a.top, dome=a.dome_of(sign)) + rng.uniform(-0.04, 0.04)
            band = soft(thick * uneven - (chest.lateral - np.abs(grid.u)), 0.035)
            band = band * soft(0.24 + 0.1 * grade - np.abs(grid.v - np.float32(v)), 0.12)
        mask = np.maximum(mask, band * chest.lung(sign))
    chest.attenuation += mask * np.float32((0.65 + 0.2 * grade) * contrast)
    return mask, _share(chest, mask)


def _heart(
    chest: FrontalChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float
) -> tuple[F32, float]:
    return chest.heart, chest.anatomy.ratio


def _fracture(
    chest: FrontalChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float
) -> tuple[F32, float]:
    grid, a = chest.grid, chest.anatomy
    sign = lesion.signs[0] if len(lesion.signs) == 1 else int(rng.choice(lesion.signs))
    v = zone_height(lesion.zone, top=a.top, dome=a.dome_of(sign))
    u0 = rng.uniform(0.55, 0.74)
    # The rib whose axis passes nearest to that height at that place.
    back = a.rib_slope * u0**2 - 0.22 * u0
    rib = float(np.clip(round((v - back - a.top - 0.06) / a.rib_gap), 1, 9))
    step = 0.36 + 0.3 * grade
    own = chest.rib_phase - np.float32(rib)
    along = np.float32(sign) * grid.u - np.float32(u0)
    near = soft(0.75 - np.abs(own), 0.15)
    outer = soft(along, 0.012) * soft(0.27 - along, 0.08) * near * (np.sign(sign) * grid.u > 0)
    inner = soft(-along, 0.012) * soft(0.12 + along, 0.08) * near * (np.sign(sign) * grid.u > 0)
    old = bump(own, 0.34) * np.float32(0.12)
    new = bump(own - np.float32(step), 0.36) * np.float32(0.42)
    gap = bump(along, 0.04) * near * (np.sign(sign) * grid.u > 0)
    change = outer * (new - old) + inner * bump(own, 0.36) * np.float32(0.3) - gap * bump(own, 0.5) * np.float32(0.3)
    chest.attenuation += change * np.float32((1.05 + 0.4 * grade) * contrast)
    return np.abs(change) * (np.abs(along) < 0.16), step


def _device(
    chest: FrontalChest, lesion: Lesion, grade: float, rng: np.random.Generator, contrast: float
) -> tuple[F32, float]:
    grid, a = chest.grid, chest.anatomy
    top = grid.pose.centre[1] - grid.pose.span / 2 - 0.1
    m, dome = a.shift, a.dome_of(1)
    solid = np.zeros_like(chest.attenuation)
    if lesion.kind == "endotracheal_tube":
        end = a.heart_top - 0.12 - 0.1 * rng.random()
        strokes = device_strokes([(m * 0.3 + 0.03, top), (m * 0.6 + 0.01, (top + end) / 2), (m * 0.8, end)], width=0.05)
    elif lesion.kind == "gastric_tube":
        stomach = (0.35 + 0.2 * rng.random(), dome + 0.24 + 0.1 * rng.random())
        strokes = device_strokes(
            [(0.02, top), (m - 0.02, a.heart_top), (m + 0.05, dome - 0.15), (0.16, dome + 0.16), stomach], width=0.03
        )
    elif lesion.kind == "central_line":
        tip = (m - a.mediastinum * 0.75, a.heart_top + 0.12)
        if rng.random() < 0.5:
            path = [(-0.32, top), (-0.3, a.top - 0.02), (m - a.mediastinum * 0.8, a.top + 0.4), tip]
        else:
            path = [(-1.3, a.top + 0.5), (-0.8, a.top + 0.24), (-0.35, a.top + 0.26), (m - 0.17, a.top + 0.45), tip]
        strokes = device_strokes(path, width=0.028)
    else:
        sign = 1 if rng.random() < 0.8 else -1
        box_u, box_v = sign * 0.78, a.top + 0.42
        solid = soft(1 - np.maximum(np.abs(grid.u - box_u) / 0.15, np.abs(grid.v - box_v) / 0.12), 0.25)
        apex = (m + 2 * a.ratio * a.heart_left * 0.62, dome - 0.12)
        strokes = device_strokes(
            [
                (box_u, box_v),
                (sign * 0.5, a.top + 0.24),
                (m - 0.14, a.top + 0.5),
                (m - 0.17, a.heart_top + 0.2),
                (m - 0.02, dome - 0.1),
                apex,
            ],
            width=0.026,
        )
    mask = np.maximum(grid.strokes(strokes), solid)
    chest.attenuation += mask * np.float32((0.55 + 0.25 * grade) * min(contrast, 1.2))
    return mask, float(np.ptp(np.flatnonzero((mask > 0.3).any(axis=1)) if mask.max() > 0.3 else [0, 0]) / grid.size)


_PAINTERS: dict[str, Painter] = {
    "increased_lung_markings": _markings,
    "patchy_opacity": _patchy,
    "consolidation": _consolidation,
    "nodule": _nodule,
    "atelectasis": _atelectasis,
    "edema": _edema,
    "pneumothorax": _pneumothorax,
    "pleural_effusion": _effusion,
    "pleural_thickening": _thickening,
    "cardiomegaly": _heart,
    "rib_fracture": _fracture,
    "support_device": _device,
}
