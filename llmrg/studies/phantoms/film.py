"""From attenuation to a grey film: scatter, noise, window, letters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from llmrg.studies.phantoms.grid import F32
from llmrg.studies.phantoms.preset import Preset

__all__ = ["Exposure", "draw_exposure", "expose"]


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """How one film was taken and processed.

    Args:
        beam: factor on attenuations (soft beams give more contrast).
        scatter: scattered radiation relative to the primary.
        noise: relative quantum noise at 224 px.
        low, high: share of the film that is clipped to black and to white.
        gamma: curve of the grey scale.
        shoulder: strength of the S-shaped curve, 0 to 1.
        margin: collimated part of the film at left, top, right, bottom.
        letter: which letter the marker shows (``L``, ``R`` or none), and where (0 to 1), how large and tilted.
    """

    beam: float
    scatter: float
    noise: float
    low: float
    high: float
    gamma: float
    shoulder: float
    margin: tuple[float, float, float, float]
    letter: str
    letter_at: tuple[float, float]
    letter_size: float
    letter_angle: float
    letter_value: int


def draw_exposure(rng: np.random.Generator, *, preset: Preset, shifted: bool, view: str, mirrored: bool) -> Exposure:
    """Draw how a film is taken; ``shifted`` films come from another machine (flatter, noisier, other grey scale)."""
    e = preset.exposure
    n = rng.normal(size=8).clip(-2, 2) / 2
    margin = rng.random(4) * 0.05 * e * (rng.random(4) < 0.4)
    on_left = rng.random() < 0.5
    if view == "lateral":
        letter = "L" if rng.random() < 0.6 else ""
    elif rng.random() < 0.25 * e:
        letter = ""
    else:
        letter = "R" if on_left else "L"
    x = rng.uniform(0.04, 0.09 + 0.04 * e)
    return Exposure(
        beam=float(np.exp(0.28 * e * n[0])) * (0.82 if shifted else 1.0),
        scatter=max(0.02, 0.12 + 0.1 * e * n[1] + (0.1 if shifted else 0.0)),
        noise=preset.noise * float(np.exp(0.6 * e * n[2])) * (1.5 if shifted else 1.0),
        low=max(0.0, 0.01 + 0.015 * e * n[3]),
        high=max(0.0, 0.01 + 0.02 * e * n[4]),
        gamma=float(np.exp(0.3 * e * n[5])) * (1.25 if shifted else 1.0),
        shoulder=float(np.clip(0.4 + 0.5 * e * n[6] + (0.2 if shifted else 0.0), 0, 1)),
        margin=(float(margin[0]), float(margin[1]), float(margin[2]), float(margin[3])),
        letter=letter,
        letter_at=(x if on_left else 1 - x, float(rng.uniform(0.05, 0.1 + 0.15 * e))),
        letter_size=float(rng.uniform(0.045, 0.055 + 0.02 * e)),
        letter_angle=float(rng.normal(0, 6 * e)),
        letter_value=int(rng.integers(200, 256)),
    )


def expose(attenuation: F32, rng: np.random.Generator, *, exposure: Exposure) -> NDArray[np.uint8]:
    """Turn attenuation ``[H, W]`` into a film, uint8 ``[H, W]``, bright where the body absorbs."""
    size = attenuation.shape[0]
    beam = np.exp(attenuation * np.float32(-exposure.beam))
    small = Image.fromarray(beam).resize((14, 14), Image.Resampling.BOX)
    haze = np.asarray(small.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)
    beam += np.float32(exposure.scatter) * haze
    # Smaller detector elements catch fewer quanta each; display at large sizes smooths part of that away.
    sigma = np.float32(exposure.noise * min(2.0, (size / 224) ** 0.5))
    beam += (
        sigma * np.sqrt(np.maximum(beam, 1e-3)) * np.float32(0.4) * rng.standard_normal(beam.shape, dtype=np.float32)
    )
    film = -np.log(np.maximum(beam, np.float32(0.008)))
    step = max(1, size // 112)
    sample = np.sort(film[step // 2 :: step, step // 2 :: step], axis=None)
    dark = sample[min(len(sample) - 1, int((0.02 + exposure.low) * len(sample)))]
    light = sample[int((1 - 0.004 - exposure.high) * (len(sample) - 1))]
    grey = np.clip((film - dark) * np.float32(1 / max(1e-3, float(light - dark))), 0, 1)
    grey = grey ** np.float32(exposure.gamma)
    grey += np.float32(exposure.shoulder) * (grey * grey * (3 - 2 * grey) - grey)
    film8 = (grey * np.float32(250) + np.float32(3)).astype(np.uint8)
    left, top, right, bottom = (round(edge * size) for edge in exposure.margin)
    film8[:top] = film8[size - bottom :] = 0
    film8[:, :left] = film8[:, size - right :] = 0
    if exposure.letter:
        _mark(film8, exposure)
    return film8


@cache
def _stamp(letter: str, pixels: int) -> Image.Image:
    sheet = Image.new("L", (pixels * 2, pixels * 2))
    ImageDraw.Draw(sheet).text(
        (pixels, pixels), letter, fill=255, font=ImageFont.load_default(size=pixels), anchor="mm"
    )
    return sheet


def _mark(film: NDArray[np.uint8], exposure: Exposure) -> None:
    size = film.shape[0]
    pixels = max(6, round(exposure.letter_size * size * 1.3))
    stamp = np.asarray(_stamp(exposure.letter, pixels).rotate(exposure.letter_angle, Image.Resampling.BILINEAR))
    x = int(np.clip(exposure.letter_at[0] * size - pixels, 0, size - stamp.shape[1]))
    y = int(np.clip(exposure.letter_at[1] * size - pixels, 0, size - stamp.shape[0]))
    part = film[y : y + stamp.shape[0], x : x + stamp.shape[1]]
    ink = stamp.astype(np.float32) * np.float32(exposure.letter_value / 255)
    np.maximum(part, ink.astype(np.uint8), out=part)
