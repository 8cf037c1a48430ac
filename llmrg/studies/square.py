"""Where a place of a film lies on the square that the model sees."""

from __future__ import annotations

from llmrg.studies.settings import Fit

__all__ = ["Box", "square_box"]

Box = tuple[float, float, float, float]
"""``(x0, y0, x1, y1)``: left, top, right and bottom edge; a box around one pixel is one wide and one high."""


def square_box(box: Box, *, height: int, width: int, size: int, mode: Fit = "pad") -> Box | None:
    """Carry a box from a film to the square that :func:`llmrg.studies.images.fit_square` makes of it.

    Args:
        box: edges in pixels of the film.
        height: of the film in pixels.
        width: of the film in pixels.
        size: side of the square in pixels.
        mode: how the film becomes a square, as there.

    Returns:
        Edges in pixels of the square, cut at its border; None where nothing of the box is left on it.

    Raises:
        ValueError: a film or square without pixels, or an unknown mode.
    """
    if min(height, width, size) < 1:
        raise ValueError(f"a film of {width} x {height} on a square of {size} has no pixels")
    if mode == "stretch":
        scale_x, scale_y, left, top = size / width, size / height, 0.0, 0.0
    elif mode == "crop":
        side = min(height, width)
        scale_x = scale_y = size / side
        left, top = -((width - side) // 2) * scale_x, -((height - side) // 2) * scale_y
    elif mode == "pad":
        # The film's sides are rounded to whole pixels, so its two scales differ a little.
        inner_height, inner_width = (max(1, round(length * size / max(height, width))) for length in (height, width))
        scale_x, scale_y = inner_width / width, inner_height / height
        left, top = float((size - inner_width) // 2), float((size - inner_height) // 2)
    else:
        raise ValueError(f"mode must be pad, crop or stretch, not {mode!r}")
    edges = (box[0] * scale_x + left, box[1] * scale_y + top, box[2] * scale_x + left, box[3] * scale_y + top)
    x0, y0, x1, y1 = (min(max(edge, 0.0), float(size)) for edge in edges)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None
