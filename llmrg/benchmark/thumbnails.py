"""Small standardised pictures of studies, for the row that copies the nearest training film."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from llmrg.errors import LlmrgError
from llmrg.studies.images import fit_square, load_image
from llmrg.studies.study import Study

__all__ = ["frontal_thumbnails"]

_log = logging.getLogger(__name__)


def frontal_thumbnails(studies: Sequence[Study], *, size: int = 32) -> NDArray[np.float32]:
    """Return one standardised thumbnail per study, as a unit vector.

    The frontal film is taken (the first film where none is frontal), fitted into a square without distortion, shifted
    to mean 0 and scaled to length 1, so that a dot product is the cosine of standardised pictures. A study whose film
    cannot be read has the zero vector.

    Args:
        studies: the studies.
        size: edge in pixels.

    Returns:
        Array ``[N, size * size]``.
    """

    def one(study: Study) -> NDArray[np.float32]:
        zero = np.zeros(size * size, dtype=np.float32)
        films = [image for image in study.images if image.view == "frontal"] or list(study.images)
        if not films:
            return zero
        try:
            pixels = fit_square(load_image(films[0].path), size=size, mode="pad").astype(np.float32).ravel()
        except (LlmrgError, OSError) as error:
            _log.warning("no thumbnail of study %s: %s", study.id, type(error).__name__)
            return zero
        pixels -= pixels.mean()
        length = float(np.linalg.norm(pixels))
        return pixels / length if length > 0 else zero

    if not studies:
        return np.zeros((0, size * size), dtype=np.float32)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return np.stack(list(pool.map(one, studies)))
