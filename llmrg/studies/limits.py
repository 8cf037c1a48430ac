"""What a film may be before anything of it is decoded: bytes, pixels, shape."""

from __future__ import annotations

from pathlib import Path

from llmrg.studies._image_error import ImageError

__all__ = ["MAX_ASPECT", "MAX_BYTES", "MAX_PIXELS", "check_size"]

MAX_BYTES = 256 * 2**20
"""Largest file that is read, in bytes."""

MAX_PIXELS = 80_000_000
"""Largest film that is decoded, in pixels (a 4,280 x 3,520 detector has 15 million)."""

MAX_ASPECT = 20
"""Longest side over shortest side of a film; beyond it, it is a ruler or a broken header."""


def check_size(path: Path, *, width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse a film by the size that its header promises.

    Args:
        path: the file, for the message.
        width: pixels in a row.
        height: rows.
        max_pixels: largest number of pixels.

    Raises:
        ImageError: no pixels, too many, or too long and narrow.
    """
    if width < 1 or height < 1:
        raise ImageError(path, "has no pixels")
    if width * height > max_pixels:
        raise ImageError(path, f"has {width} x {height} pixels, more than {max_pixels:,}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(path, f"is {width} x {height} pixels: one side is more than {MAX_ASPECT} times the other")
