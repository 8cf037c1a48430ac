"""Pictures of evidence: where a disease query looked, laid over the films."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image as PillowImage
from torch import Tensor

__all__ = ["attention_overlay", "save_attention_pictures"]

SIDE = 224
"""Height of a picture in pixels."""


def attention_overlay(
    film: np.ndarray, attention: np.ndarray, *, strength: float = 0.55, offset: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    """Lay an attention map over a film.

    Args:
        film: uint8 [H, W].
        attention: [h, w], at least 0; it is scaled by its own maximum over all views before this call.
        strength: opacity where attention is 1.
        offset: by which what the cells tell lies to the right of and below their middles, in parts of the side.

    Returns:
        uint8 [SIDE, SIDE, 3].
    """
    base = PillowImage.fromarray(film).resize((SIDE, SIDE), PillowImage.Resampling.BILINEAR)
    heat = PillowImage.fromarray(attention.astype(np.float32))
    heat = heat.resize((SIDE, SIDE), PillowImage.Resampling.BICUBIC)
    weight = _moved(np.clip(np.asarray(heat), 0, 1), round(offset[0] * SIDE), round(offset[1] * SIDE))
    colour = matplotlib.colormaps["inferno"](weight)[..., :3] * 255
    opacity = (weight * strength)[..., None]
    grey = np.repeat(np.asarray(base, dtype=np.float32)[..., None], 3, axis=2)
    return np.clip(grey * (1 - opacity) + colour * opacity, 0, 255).astype(np.uint8)


def _moved(values: np.ndarray, right: int, down: int) -> np.ndarray:
    """Values [H, W] moved by whole pixels; what comes in at an edge is what was there."""
    height, width = values.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return values[rows[:, None], columns[None, :]]


def save_attention_pictures(
    folder: Path,
    *,
    films: Sequence[np.ndarray],
    attention: Tensor,
    chosen: Sequence[tuple[int, str]],
    offset: tuple[float, float] = (0.0, 0.0),
) -> dict[str, str]:
    """Write one PNG a chosen finding, all views side by side.

    Args:
        folder: of the study's pictures; made if needed.
        films: the study's films, uint8 [H, W], V of them.
        attention: [F, V', h, w]; V' may be larger than V where other studies of the batch had more views.
        chosen: rows of ``attention`` with the finding's name.
        offset: of the cells (see :func:`attention_overlay`).

    Returns:
        File name by finding name.
    """
    names: dict[str, str] = {}
    if not chosen:
        return names
    folder.mkdir(parents=True, exist_ok=True)
    for row, finding in chosen:
        maps = [attention[row, view].numpy() for view in range(len(films))]
        peak = max(float(grid.max()) for grid in maps) or 1.0
        picture = np.concatenate(
            [attention_overlay(film, grid / peak, offset=offset) for film, grid in zip(films, maps, strict=True)],
            axis=1,
        )
        name = f"{_safe(finding)}.png"
        # Pillow's optimize takes 15 times as long for files a tenth smaller.
        PillowImage.fromarray(picture).save(folder / name, compress_level=3)
        names[finding] = name
    return names


def _safe(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name).lower()
