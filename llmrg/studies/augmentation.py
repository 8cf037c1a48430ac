"""Augmentation of films, drawn from a generator seeded by the sample, so that a resumed run sees the same films."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image as PillowImage

__all__ = ["AugmentationConfig", "augment", "sample_generator"]


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """How much films may change in training. There is no flip: left and right are findings.

    Args:
        enabled: augment at all.
        rotation: degrees either way.
        zoom: relative size change either way.
        shift: of the side, either way.
        contrast: of the grey range, either way.
        brightness: of the grey range, either way.
        gamma: exponent of the grey curve, as the logarithm to base 2, either way.
    """

    enabled: bool = True
    rotation: float = 4.0
    zoom: float = 0.08
    shift: float = 0.05
    contrast: float = 0.2
    brightness: float = 0.1
    gamma: float = 0.3


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """Return the generator of one sample in one epoch."""
    return np.random.default_rng([seed, epoch, index])


def augment(film: np.ndarray, config: AugmentationConfig, generator: np.random.Generator) -> np.ndarray:
    """Turn, zoom, shift and re-expose a film.

    Args:
        film: uint8 [H, W].
        config: the limits.
        generator: of this sample.

    Returns:
        uint8 [H, W].
    """
    if not config.enabled:
        return film
    angle, zoom, across, down, contrast, brightness, gamma = generator.uniform(-1, 1, size=7)
    height, width = film.shape
    turn = math.radians(angle * config.rotation)
    scale = 1 + zoom * config.zoom
    cosine, sine = math.cos(turn) / scale, math.sin(turn) / scale
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    from_x = centre_x + across * config.shift * width
    from_y = centre_y + down * config.shift * height
    matrix = (
        cosine,
        sine,
        from_x - cosine * centre_x - sine * centre_y,
        -sine,
        cosine,
        from_y + sine * centre_x - cosine * centre_y,
    )
    moved = PillowImage.fromarray(film).transform(
        (width, height), PillowImage.Transform.AFFINE, matrix, resample=PillowImage.Resampling.BILINEAR
    )
    levels = np.linspace(0, 1, 256) ** (2 ** (gamma * config.gamma))
    levels = (levels - 0.5) * (1 + contrast * config.contrast) + 0.5 + brightness * config.brightness
    curve = np.clip(levels * 255, 0, 255).astype(np.uint8)
    return curve[np.asarray(moved)]
