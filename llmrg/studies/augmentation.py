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
        rotation: degrees, either way.
        zoom: share by which the film grows or shrinks.
        shift: share of the side, either way.
        contrast: share by which distances from middle grey grow or shrink.
        brightness: share of the grey range, either way.
        gamma: logarithm to base 2 of the grey curve's exponent, either way.

    Raises:
        ValueError: a negative limit, a zoom to nothing, or a contrast that inverts the film.
    """

    enabled: bool = True
    rotation: float = 4.0
    zoom: float = 0.08
    shift: float = 0.05
    contrast: float = 0.2
    brightness: float = 0.1
    gamma: float = 0.3

    def __post_init__(self) -> None:
        for name in ("rotation", "zoom", "shift", "contrast", "brightness", "gamma"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
        if self.zoom >= 1 or self.contrast > 1:
            raise ValueError("zoom must be below 1 and contrast at most 1")


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
        uint8 [H, W]; what comes from outside the film is black.
    """
    if not config.enabled:
        return film
    angle, zoom, across, down, contrast, brightness, gamma = generator.uniform(-1, 1, size=7)
    height, width = film.shape
    turn = math.radians(angle * config.rotation)
    scale = 1 + zoom * config.zoom
    cosine, sine = math.cos(turn) / scale, math.sin(turn) / scale
    centre_x, centre_y = width / 2, height / 2  # Pillow's coordinates: the middle of the first pixel is (0.5, 0.5)
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
    curve = np.clip(np.rint(levels * 255), 0, 255).astype(np.uint8)
    return curve[np.asarray(moved)]
