"""The cross-scan against orders written out by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llmrg.vision.mamba.directions import scan_orders
from llmrg.vision.vmamba.directions import merge_directions, read_directions


def numbered(height: int, width: int) -> torch.Tensor:
    """A map whose places carry their number, for all directions."""
    return torch.arange(height * width).view(1, height, width, 1, 1).expand(-1, -1, -1, 4, -1)


def test_a_map_of_two_rows_and_three_columns() -> None:
    assert read_directions(numbered(2, 3))[0, :, :, 0].T.tolist() == [
        [0, 1, 2, 3, 4, 5],
        [0, 3, 1, 4, 2, 5],
        [5, 4, 3, 2, 1, 0],
        [5, 2, 4, 1, 3, 0],
    ]


def test_each_direction_reads_channels_of_its_own() -> None:
    grouped = torch.zeros(1, 2, 2, 4, 1)
    for direction in range(4):
        grouped[..., direction, :] = 10 * direction + torch.arange(4.0).view(2, 2, 1)
    assert read_directions(grouped)[0, :, :, 0].T.tolist() == [
        [0, 1, 2, 3],
        [10, 12, 11, 13],
        [23, 22, 21, 20],
        [33, 31, 32, 30],
    ]


@given(st.integers(1, 6), st.integers(1, 6))
def test_the_orders_are_those_of_the_mamba_trunk_in_another_sequence(height: int, width: int) -> None:
    orders = scan_orders(height, width, directions=4, class_token=False)
    assert torch.equal(read_directions(numbered(height, width))[0, :, :, 0].T, orders[[0, 2, 1, 3]])


@given(st.integers(1, 2), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), st.integers(0, 10_000))
def test_merging_brings_every_direction_back_to_its_places(
    batch: int, height: int, width: int, channels: int, seed: int
) -> None:
    grouped = torch.randn(batch, height, width, 4, channels, generator=torch.Generator().manual_seed(seed))
    merged = merge_directions(read_directions(grouped), height, width)
    torch.testing.assert_close(merged, grouped.sum(3))


@pytest.mark.parametrize("direction", range(4))
def test_merging_places_one_direction_alone(direction: int) -> None:
    read = torch.zeros(1, 6, 4, 1)
    read[0, 1, direction] = 1  # what the direction has read in its second step
    place = merge_directions(read, 2, 3)[0, :, :, 0].nonzero()[0].tolist()
    assert place == [[0, 1], [1, 0], [1, 1], [0, 2]][direction]
