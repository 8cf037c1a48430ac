"""The healthy lateral chest as attenuations: u runs from front (-) to back (+), both lungs lie on each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmrg.studies.phantoms.anatomy import Anatomy
from llmrg.studies.phantoms.grid import AXIS, F32, Grid, bump, curve, soft
from llmrg.studies.phantoms.lung_vessels import branches

__all__ = ["LateralChest", "draw_lateral"]


@dataclass(kw_only=True)
class LateralChest:
    """A lateral film in the making.

    Args:
        grid: the film.
        anatomy: the patient's chest, deformed by the findings.
        attenuation: sum of all attenuations ``[size, size]``; findings add to it.
        lung: mask of the lungs, 0 to 1.
        front: u of the anterior wall of the lungs at every pixel's height.
        back: u of the posterior wall at every pixel's height.
        diaphragm: v of the right and the left hemidiaphragm at every pixel's u.
        heart: mask of the heart.
    """

    grid: Grid
    anatomy: Anatomy
    attenuation: F32
    lung: F32
    front: F32
    back: F32
    diaphragm: tuple[F32, F32]
    heart: F32


def draw_lateral(grid: Grid, anatomy: Anatomy, rng: np.random.Generator, *, vessels: dict[str, float]) -> LateralChest:
    """Add up the attenuations of a healthy lateral chest; arguments as in :func:`draw_frontal`."""
    a, u, v = anatomy, grid.u, grid.v
    d = a.depth
    t = np.clip((AXIS - a.top) / (a.wide - a.top), 0, 2)
    front_curve = (-d * (0.3 + 0.62 * np.clip(t, 0, 1.25) ** 0.9) - 0.04 * np.sin(np.clip(t, 0, 1) * np.pi)).astype(
        np.float32
    )
    back_curve = (d * (0.42 + 0.6 * np.sin(np.clip(0.25 + t * 0.75, 0, 2) * np.pi / 2.1) ** 0.9)).astype(np.float32)
    front, back = grid.by_v(front_curve), grid.by_v(back_curve)
    domes = tuple(
        grid.by_u(
            (
                a.dome_of(sign)
                + 0.14 * np.clip((-0.2 * d - AXIS) / d, 0, 1.5) ** 1.5
                + 0.52 * np.clip((AXIS + 0.2 * d) / (1.1 * d), 0, 1.4) ** 2.2
            ).astype(np.float32)
        )
        for sign in (-1, 1)
    )
    # Each lung ends at its own dome, so between the two domes only half of the air is left.
    apex = soft(v - a.top - np.float32(0.5) * (u - np.float32(0.1)) ** 2, 0.1)
    inside = soft(u - front, 0.04) * soft(back - u, 0.05) * apex
    lung = inside * np.float32(0.5) * (soft(domes[0] - v, 0.03) + soft(domes[1] - v, 0.03))

    skin_front = curve(
        [-2.2, a.top - 0.3, a.top, a.wide, 2.2],
        [-0.25, -0.28, -0.42 - a.fat, -d - 0.12 - 0.6 * a.fat, -d - 0.2 - a.fat],
    )
    skin_back = curve(
        [-2.2, a.top - 0.3, a.top + 0.1, a.wide, 2.2],
        [0.4, 0.5, d + 0.1 + a.fat, d + 0.22 + 0.6 * a.fat, d + 0.05 + a.fat],
    )
    sf, sb = grid.by_v(skin_front), grid.by_v(skin_back)
    if a.breast > 0:
        sf = sf - np.float32(0.8 * a.breast) * bump(v - np.float32(a.wide - 0.1), 0.5)
    middle = (sf + sb) / 2
    across = np.clip(1 - ((u - middle) / np.maximum((sb - sf) / 2, 0.05)) ** 2, 0, 1)
    skin = soft(np.minimum(u - sf, sb - u), 0.06)
    total = np.sqrt(across) * np.float32(0.9) + skin * np.float32(0.5 + 0.6 * a.fat)
    below = 1 - np.float32(0.5) * (soft(domes[0] - v, 0.04) + soft(domes[1] - v, 0.04))
    total += below * soft(u - front, 0.1) * soft(back - u, 0.1) * np.float32(0.4)
    # Shoulders and upper arms lie over the upper part.
    total += soft(1 - grid.disc(0.0, a.top - 0.1, 0.62, 0.5), 1.0) * np.float32(0.32)

    # The spine runs along the back wall and looks darker downwards where lung lies over it.
    axis = back - np.float32(0.1)
    column = soft(np.float32(a.spine * 1.05) - np.abs(u - axis), 0.05)
    discs = 1 - np.float32(0.35) * bump((v / 0.17) % 1 - np.float32(0.5), 0.14)
    total += column * discs * np.float32(0.3 * a.bone)
    sternum = bump(u - front + np.float32(0.06), 0.05) * soft(v - a.top - 0.2, 0.1) * soft(a.wide - v, 0.1)
    total += sternum * np.float32(0.22 * a.bone)
    slope = (-0.32 * np.clip(-AXIS + d, 0, 2) + 0.18 * np.clip(-AXIS + d, 0, 2) ** 2).astype(np.float32)
    phase = (v + grid.by_u(slope) - np.float32(a.top + 0.1)) / np.float32(a.rib_gap)
    ribs = bump(np.abs(phase - np.rint(phase)), 0.3) * inside * (phase > 0.5) * (phase < 9.5)
    total += ribs * np.float32(0.085 * a.bone)

    grow = a.ratio / 0.5
    heart_at = (-0.42 * d, (a.dome[0] + a.dome[1]) / 2 - 0.22 * grow)
    heart = soft(1 - grid.disc(heart_at[0] + 0.12 * (grow - 1), heart_at[1], 0.5 * d * grow, 0.44 * grow, 35), 0.18)
    heart = heart * soft(u - front + np.float32(0.03), 0.05) * (1 - below)
    total += heart * np.float32(0.55)
    arch = grid.disc(0.02, a.heart_top - 0.16, 0.2, 0.17)
    total += bump(arch - 1, 0.5) * soft(a.heart_top + 0.05 - v, 0.1) * np.float32(0.08 + 0.6 * a.knob)
    windpipe = bump(u - np.float32(0.02) - np.float32(0.18) * (v - np.float32(a.heart_top)), 0.06)
    total -= windpipe * soft(a.heart_top - v, 0.1) * np.float32(0.22)
    total -= lung * np.float32(1.05) * np.sqrt(np.clip(across, 0.2, 1)) * (1 - np.float32(0.4) * heart)

    chest = LateralChest(
        grid=grid,
        anatomy=a,
        attenuation=total,
        lung=lung,
        front=front,
        back=back,
        diaphragm=(domes[0], domes[1]),
        heart=heart,
    )
    more = max(vessels["markings"], 0.7 * vessels["edema"])
    strokes = []
    for aim, count in ((90.0, 5), (250.0, 5), (20.0, 4), (160.0, 3)):
        strokes += branches(
            rng,
            root=(0.04, a.heart_top + 0.05),
            aim=(aim, 0.0),
            fan=90.0,
            count=count + round(2 * more),
            length=0.6 + 0.2 * more,
            width=0.03 * a.vessels * (1 + 0.45 * more),
            strength=min(1.0, 0.45 * a.vessels * (1 + 0.3 * more)),
        )
    lines = grid.strokes(strokes) * np.float32(0.36)
    lines += soft(1 - grid.disc(0.05, a.heart_top + 0.06, 0.14, 0.17), 1.0) * np.float32(0.16 * (1 + 0.5 * more))
    chest.attenuation += lines * lung
    if vessels["edema"] > 0:
        haze = soft(1 - grid.disc(0.05, a.heart_top + 0.15, 0.5, 0.5), 1.2) * lung
        chest.attenuation += haze * np.float32(0.3 * vessels["edema"] + 0.12)
    chest.attenuation += grid.texture(rng, 5) * np.float32(0.02 + 0.04 * vessels["clutter"]) * skin
    return chest
