"""Boxes follow their pixels through :func:`llmrg.studies.images.fit_square`, whatever the film's shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.studies.images import fit_square
from llmrg.studies.square import square_box

MODES = ("pad", "crop", "stretch")


@settings(max_examples=150, deadline=None)
@given(
    mode=st.sampled_from(MODES),
    height=st.integers(20, 90),
    width=st.integers(20, 90),
    size=st.integers(16, 64),
    corner=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)
def test_a_box_follows_what_it_holds(mode, height, width, size, corner) -> None:
    """What is left of a white rectangle has the mass and the middle that the carried box says."""
    x0, x1 = sorted(round(c * width) for c in (corner[0], corner[2]))
    y0, y1 = sorted(round(c * height) for c in (corner[1], corner[3]))
    film = np.zeros((height, width), dtype=np.uint8)
    film[y0:y1, x0:x1] = 255
    seen = fit_square(film, size=size, mode=mode).astype(np.float64) / 255
    box = square_box((x0, y0, x1, y1), height=height, width=width, size=size, mode=mode)
    if box is None:
        assert seen.sum() < 1e-9
        return
    left, top, right, bottom = box
    assert 0 <= left < right <= size
    assert 0 <= top < bottom <= size
    # Bicubic filters overshoot and round at the edges: half a pixel around the border is free.
    assert seen.sum() == pytest.approx((right - left) * (bottom - top), abs=0.5 * (right - left + bottom - top) + 1)
    if min(right - left, bottom - top) >= 3:
        rows, columns = np.arange(size) + 0.5, np.arange(size) + 0.5
        assert (seen.sum(axis=0) @ columns) / seen.sum() == pytest.approx((left + right) / 2, abs=0.35)
        assert (seen.sum(axis=1) @ rows) / seen.sum() == pytest.approx((top + bottom) / 2, abs=0.35)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("height", "width"), [(100, 60), (60, 100), (64, 64), (1, 50), (333, 71)])
def test_the_whole_film_is_what_the_square_shows_of_it(mode: str, height: int, width: int) -> None:
    size = 32
    whole = square_box((0, 0, width, height), height=height, width=width, size=size, mode=mode)  # type: ignore[arg-type]
    white = fit_square(np.full((height, width), 255, dtype=np.uint8), size=size, mode=mode) > 0  # type: ignore[arg-type]
    rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
    assert whole == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


def test_a_box_that_is_cropped_away_is_gone() -> None:
    assert square_box((0, 0, 10, 20), height=100, width=200, size=50, mode="crop") is None
    assert square_box((40, 0, 60, 20), height=100, width=200, size=50, mode="crop") == (0, 0, 5, 10)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="no pixels"):
        square_box((0, 0, 1, 1), height=0, width=5, size=8)
    with pytest.raises(ValueError, match="mode"):
        square_box((0, 0, 1, 1), height=5, width=5, size=8, mode="squash")  # type: ignore[arg-type]
