from __future__ import annotations

from pathlib import Path

import pytest

from llmrg.studies.images import ImageError
from llmrg.studies.limits import MAX_ASPECT, check_size


@pytest.mark.parametrize(("width", "height"), [(1, 1), (MAX_ASPECT, 1), (3, 3 * MAX_ASPECT), (8000, 10_000)])
def test_within(width: int, height: int) -> None:
    check_size(Path("film.png"), width=width, height=height)


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [
        (0, 5, "no pixels"),
        (5, 0, "no pixels"),
        (10_000, 8001, "10000 x 8001 pixels, more than 80,000,000"),
        (MAX_ASPECT + 1, 1, "more than 20 times"),
        (3, 3 * MAX_ASPECT + 1, "more than 20 times"),
    ],
)
def test_beyond(width: int, height: int, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        check_size(Path("film.png"), width=width, height=height)
