"""One film as training sees it: decoded, oriented and brought to a square."""

from __future__ import annotations

from pathlib import Path

from llmrg.studies.images import GreyImage, fit_square, load_image
from llmrg.studies.settings import Fit

__all__ = ["FILM_VERSION", "read_film"]

FILM_VERSION = 1
"""Raised whenever a file can give other pixels than before, so that films prepared earlier are prepared again."""


def read_film(path: Path, *, size: int, fit: Fit) -> GreyImage:
    """Decode a film and bring it to a square.

    Training and ``llmrg data prepare`` both read films by this function, so that their pixels are the same.

    Args:
        path: PNG, JPEG or DICOM file.
        size: side of the square in pixels.
        fit: how the film becomes a square.

    Returns:
        Grey values [size, size].

    Raises:
        ImageError: the film cannot be used.
    """
    return fit_square(load_image(path, at_least=size), size=size, mode=fit)
