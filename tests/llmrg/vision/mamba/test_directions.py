"""Scan orders against orders written out by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llmrg.vision.mamba.directions import inverse_orders, scan_orders


def test_a_grid_of_two_by_two_with_its_class_token() -> None:
    # Tokens: patch 0, patch 1, class token, patch 2, patch 3.
    assert scan_orders(2, 2, directions=4).tolist() == [
        [0, 1, 2, 3, 4],
        [4, 3, 2, 1, 0],
        [0, 3, 2, 1, 4],
        [4, 1, 2, 3, 0],
    ]


def test_a_grid_without_class_token() -> None:
    assert scan_orders(2, 3, directions=4, class_token=False).tolist() == [
        [0, 1, 2, 3, 4, 5],
        [5, 4, 3, 2, 1, 0],
        [0, 3, 1, 4, 2, 5],
        [5, 2, 4, 1, 3, 0],
    ]


@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 2, 4]), st.booleans())
def test_every_direction_reads_every_token_once(height: int, width: int, directions: int, class_token: bool) -> None:
    orders = scan_orders(height, width, directions=directions, class_token=class_token)
    count = height * width + class_token
    assert orders.shape == (directions, count)
    assert (orders.sort(dim=1).values == torch.arange(count)).all()
    restored = torch.gather(orders, 1, inverse_orders(orders))
    assert (restored == torch.arange(count)).all()
    if directions >= 2:
        assert (orders[1] == orders[0].flip(0)).all()
    if directions == 4:
        assert (orders[3] == orders[2].flip(0)).all()


def test_other_numbers_of_directions_are_refused() -> None:
    with pytest.raises(ValueError, match="1, 2 or 4"):
        scan_orders(2, 2, directions=3)
