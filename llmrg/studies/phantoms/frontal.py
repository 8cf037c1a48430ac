"""The healthy frontal chest as attenuations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmrg.studies.phantoms.anatomy import Anatomy
from llmrg.studies.phantoms.grid import AXIS, F32, Grid, bump, curve, soft
from llmrg.studies.phantoms.lung_vessels import draw_vessels

__all__ = ["FrontalChest", "draw_frontal"]


_APEX = 0.38  # distance of the lungs' tips from the midline


@dataclass(kw_only=True)
class FrontalChest:
    """A frontal film in the making.

    Args:
        grid: the film.
        anatomy: the patient's chest, deformed by the findings.
        attenuation: sum of all attenuations ``[size, size]``; findings add to it.
        lungs: mask of the right and the left lung field, 0 to 1.
        lateral: distance of the cage's inner wall from the midline at every pixel's height.
        diaphragm: v of the right and the left hemidiaphragm at every pixel's u.
        rib_phase: number of the posterior rib at every pixel, as a fraction (whole on the rib's axis).
        air: attenuation that full lungs take away, per pixel.
        heart: mask of the heart.
        vessels: attenuation of the vessels, as it was added.
    """

    grid: Grid
    anatomy: Anatomy
    attenuation: F32
    lungs: tuple[F32, F32]
    lateral: F32
    diaphragm: tuple[F32, F32]
    rib_phase: F32
    air: F32
    heart: F32
    vessels: F32

    def lung(self, sign: int) -> F32:
        """Return the lung field of one side (-1 the patient's right)."""
        return self.lungs[(sign + 1) // 2]


def wall_table(a: Anatomy) -> F32:
    """Tabulate the inner half width of the cage over v."""
    t = np.clip((AXIS - a.top) / (a.wide - a.top), 0, 2)
    upper = _APEX + (1 - _APEX) * np.clip(1 - np.clip(1 - t, 0, 1) ** a.cage_power, 0, 1) ** (1 / 1.8)
    lower = 1 - 0.05 * np.clip(t - 1, 0, 1) ** 2
    return np.where(t < 1, upper, lower).astype(np.float32)


def medial_table(a: Anatomy) -> F32:
    """Tabulate the distance of the lungs' inner border from the midline over v."""
    inner = a.mediastinum * 0.7
    t = np.clip((AXIS - a.top) / 0.26, 0, 1)
    return (inner + (_APEX - inner) * (1 - np.sqrt(1 - (1 - t) ** 2))).astype(np.float32)


def dome_table(a: Anatomy, sign: int) -> F32:
    """Tabulate v of one hemidiaphragm over the distance from the midline."""
    x = np.abs(AXIS)
    lateral = np.clip((x - 0.42) / 0.55, 0, 1.2)
    medial = np.clip((0.42 - x) / 0.42, 0, 1)
    return (a.dome_of(sign) + 0.27 * lateral**2.4 + 0.07 * medial**2).astype(np.float32)


def heart_tables(a: Anatomy) -> tuple[F32, F32]:
    """Tabulate how far the heart reaches to the right and to the left of its axis over v; widths sum to the ratio."""
    width = 2 * a.ratio
    left, right = width * a.heart_left, width * (1 - a.heart_left)
    floor = (a.dome[0] + a.dome[1]) / 2
    apex = floor - 0.06
    s = np.clip((AXIS - a.heart_top) / (apex - a.heart_top), 0, 1)
    neck = 0.16
    border_left = neck + (left - neck) * np.sin(0.5 * np.pi * s) ** 1.35
    below = np.clip((AXIS - apex) / 0.26, 0, 1)
    border_left = border_left * np.sqrt(np.clip(1 - below**2, 0, 1))
    middle, half = floor - 0.22, 0.36 + 0.1 * max(0.0, a.ratio - 0.5)
    border_right = right * np.sqrt(np.clip(1 - ((AXIS - middle) / half) ** 2, 0, 1))
    border_left = np.where(a.heart_top - 0.02 > AXIS, 0, border_left)
    return border_right.astype(np.float32), border_left.astype(np.float32)


def draw_frontal(grid: Grid, anatomy: Anatomy, rng: np.random.Generator, *, vessels: dict[str, float]) -> FrontalChest:
    """Add up the attenuations of a healthy frontal chest.

    Args:
        grid: the film.
        anatomy: proportions of the chest.
        rng: source of vessels and other small variation.
        vessels: ``markings`` and ``edema`` grades, ``clutter`` of the preset (all 0 to 1).
    """
    a, u, v = anatomy, grid.u, grid.v
    au = np.abs(u)
    left_half = u > 0
    wall_curve = wall_table(a)
    lateral = grid.by_v(wall_curve)
    centre = np.float32(a.shift)
    medial = grid.by_v(medial_table(a))
    domes = (grid.by_abs_u(dome_table(a, -1)), grid.by_abs_u(dome_table(a, 1)))
    diaphragm = domes[0] + (domes[1] - domes[0]) * soft(u, 0.3)
    within = soft(lateral - au, 0.05) * soft(diaphragm - v, 0.035) * soft(v - a.top - 0.02, 0.04)
    side = soft(np.where(left_half, u - centre, centre - u) - medial, 0.05)
    field = within * side
    lungs = (np.where(left_half, 0, field), np.where(left_half, field, 0))

    # Body: a flattened cylinder with shoulders and neck; its edge is the skin.
    skin_curve = curve(
        [-2.2, a.top - 0.32, a.top - 0.12, a.top + 0.18, a.top + 0.5, 0.5, 2.2],
        [0.34, 0.4, 0.72, 1.62 + a.fat, 1.5 + a.fat, 1.1 + 1.2 * a.fat, 1.12 + 1.6 * a.fat],
    )
    skin = grid.by_v(skin_curve)
    inside = np.clip(1 - (au / skin) ** 2, 0, 1)
    body = np.sqrt(inside) * np.float32(0.75) + soft(skin - au, 0.12) * np.float32(0.55 + 0.8 * a.fat)
    belly = soft(v - diaphragm, 0.05) * within_cage(au, lateral) * np.float32(0.55)

    depth = np.sqrt(np.clip(1.08 - (au / np.maximum(lateral, 0.05)) ** 4 * 0.55, 0.1, 1.1)).astype(np.float32)
    thin_top = np.float32(0.72) + np.float32(0.28) * np.clip((v - a.top) / np.float32(0.7), 0, 1)
    air = depth * thin_top * np.float32(1.12)

    right_curve, left_curve = heart_tables(a)
    reach = np.where(u > centre, grid.by_v(left_curve), grid.by_v(right_curve))
    heart = soft(reach - np.abs(u - centre), 0.045) * np.clip(reach * 8, 0, 1)
    great = grid.by_v(
        (a.mediastinum * (0.5 + 0.5 * np.clip((AXIS - a.top) / 0.4, 0, 1)) * (a.heart_top + 0.45 > AXIS)).astype(
            np.float32
        )
    )
    vessels_mask = (
        soft(great - np.abs(u - centre), 0.05) * soft(v - a.top + 0.1, 0.3) * soft(a.heart_top + 0.3 - v, 0.2)
    )
    above = soft(diaphragm - v, 0.05)
    middle = np.maximum(heart * above * np.float32(0.62), vessels_mask * np.float32(0.5))
    if a.knob > 0:
        knob = grid.disc(a.shift + a.mediastinum - 0.02, a.heart_top - 0.22, a.knob, a.knob * 1.15)
        middle = np.maximum(middle, soft(1 - knob, 0.5) * np.float32(0.55))
    if a.thymus > 0:
        sail = np.clip(1 - np.abs(v - (a.heart_top - 0.2)) / 0.42, 0, 1) ** 0.6 * np.float32(a.thymus)
        middle = np.maximum(middle, soft(a.mediastinum + sail - np.abs(u - centre), 0.05) * np.float32(0.42))

    spine_width = bump(u, a.spine * 1.35)
    discs = np.float32(1) - np.float32(0.22) * bump((v / 0.16) % 1 - np.float32(0.5), 0.16)
    spine = soft(np.float32(a.spine) - au, 0.05) * discs * np.float32(0.26) + spine_width * np.float32(0.1)
    windpipe = bump(u - centre * np.float32(0.8), 0.085) * soft(a.heart_top - 0.02 - v, 0.2) * np.float32(-0.36)

    ribs, phase = _ribs(grid, a, au, lateral)
    clavicle = _clavicles(grid, a)

    total = body + belly + spine * np.float32(a.bone) + windpipe + middle
    total = total + (ribs + clavicle) * np.float32(a.bone)
    total = total - air * field * (1 - np.float32(0.55) * heart)
    chest = FrontalChest(
        grid=grid,
        anatomy=a,
        attenuation=total,
        lungs=lungs,
        lateral=lateral,
        diaphragm=domes,
        rib_phase=phase,
        air=air,
        heart=heart,
        vessels=np.zeros_like(total),
    )
    _soft_tissue(chest, rng, clutter=vessels["clutter"], au=au)
    draw_vessels(chest.grid, chest, rng, **vessels)
    return chest


def within_cage(au: F32, lateral: F32) -> F32:
    """Return the mask of everything inside the rib cage."""
    return soft(lateral - au, 0.06)


def _ribs(grid: Grid, a: Anatomy, au: F32, lateral: F32) -> tuple[F32, F32]:
    v = grid.v
    # Posterior ribs rise a little from the spine and then fall; anterior ribs run back towards the sternum.
    back = (a.rib_slope * AXIS**2 - 0.22 * np.abs(AXIS)).astype(np.float32)
    front = (0.62 * np.clip(1 - np.abs(AXIS), 0, 1) ** 1.2 + a.rib_slope * 0.85 - 0.22).astype(np.float32)
    phase = (v - grid.by_abs_u(back) - np.float32(a.top + 0.06)) / np.float32(a.rib_gap)
    cage = soft(lateral + 0.05 - au, 0.04) * (phase > 0.4) * (phase < 10.6)
    fraction = np.abs(phase - np.rint(phase))
    plate = bump(fraction, 0.34)
    # The cortex shows as brighter edges.
    posterior = plate * np.float32(0.13) + bump(fraction - np.float32(0.22), 0.1) * np.float32(0.08)
    front_phase = (v - grid.by_abs_u(front) - np.float32(a.top + 0.16)) / np.float32(a.rib_gap * 1.12)
    shown = soft(au - 0.36, 0.25) * (front_phase > 0.4) * (front_phase < 6.6)
    anterior = bump(np.abs(front_phase - np.rint(front_phase)), 0.36) * shown * np.float32(0.09)
    rim = bump(au - lateral - np.float32(0.015), 0.05) * np.float32(0.16)
    rim = rim * (np.float32(0.45) + plate) * (phase > 0.6) * (phase < 11)
    return (posterior * cage * soft(au - 0.06, 0.05) + anterior * cage + rim).astype(np.float32), phase


def _clavicles(grid: Grid, a: Anatomy) -> F32:
    x = np.abs(AXIS)
    curve = (
        a.top + 0.32 - 0.16 * np.clip(x - 0.08, 0, 2) - 0.12 * np.sin(np.clip((x - 0.1) / 0.9, 0, 1) * np.pi)
    ).astype(np.float32)
    shown = ((x > 0.08) * (x < 1.25)).astype(np.float32)
    return bump(grid.v - grid.by_abs_u(curve), 0.055) * grid.by_abs_u(shown) * np.float32(0.17)


def _soft_tissue(chest: FrontalChest, rng: np.random.Generator, *, clutter: float, au: F32) -> None:
    grid, a = chest.grid, chest.anatomy
    draws = rng.random(12)
    # Scapulae at the lateral edge of the lungs.
    edge = np.float32(1.08 - 0.3 * clutter * draws[0])
    blade = (
        soft(au - edge - np.float32(0.18) * grid.v, 0.04) * soft(0.25 - grid.v, 0.3) * soft(grid.v - a.top - 0.15, 0.2)
    )
    chest.attenuation += blade * soft(1.45 - au, 0.1) * np.float32(0.1 + 0.08 * clutter)
    # Humeral heads.
    for sign in (-1, 1):
        chest.attenuation += soft(1 - grid.disc(sign * 1.42, a.top + 0.28, 0.14, 0.17), 0.3) * np.float32(0.25 * a.bone)
    # Gas under the left dome.
    gas_v = a.dome_of(1) + 0.16
    gas = soft(1 - grid.disc(0.4 + 0.2 * draws[1], gas_v, 0.14 + 0.1 * draws[2], 0.07 + 0.05 * draws[3]), 0.5)
    chest.attenuation -= gas * np.float32(0.35) * soft(grid.v - chest.diaphragm[1] - np.float32(0.03), 0.03)
    if a.breast > 0:
        for sign in (-1, 1):
            lower = a.dome_of(sign) - 0.05 + 0.12 * draws[4 + (sign > 0)]
            shape = grid.disc(sign * 0.62, lower - 0.3, 0.44, 0.36)
            chest.attenuation += soft(1 - shape, 0.35) * np.float32(a.breast)
    # Skin folds and uneven soft tissue.
    chest.attenuation += grid.texture(rng, 5) * np.float32(0.02 + 0.045 * clutter) * soft(1.3 - au, 0.2)
