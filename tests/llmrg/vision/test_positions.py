from __future__ import annotations

import numpy as np
import pytest
import torch

from llmrg.vision.positions import GridPositions


def test_at_its_own_resolution_every_entry_is_added_as_it_is() -> None:
    positions = GridPositions(width=5, resolution=3)
    maps = torch.randn(2, 3, 3, 5)
    found = positions(maps, torch.tensor([2, 0]))
    for film, view in enumerate([2, 0]):
        for row in range(3):
            for column in range(3):
                expected = maps[film, row, column] + positions.rows[row] + positions.columns[column]
                torch.testing.assert_close(found[film, row, column], expected + positions.views[view])


@pytest.mark.parametrize(("height", "width"), [(2, 2), (7, 7), (14, 9), (16, 16), (40, 23)])
def test_other_grids_are_interpolated_linearly_from_edge_to_edge(height: int, width: int) -> None:
    positions = GridPositions(width=4, resolution=16).double()
    with torch.no_grad():
        positions.views.zero_()
    found = positions(torch.zeros(1, height, width, 4, dtype=torch.float64), torch.tensor([0])).detach().numpy()[0]
    rows, columns = positions.rows.detach().numpy(), positions.columns.detach().numpy()
    own = np.arange(16)
    for channel in range(4):
        down = np.interp(np.linspace(0, 15, height), own, rows[:, channel])
        across = np.interp(np.linspace(0, 15, width), own, columns[:, channel])
        np.testing.assert_allclose(found[..., channel], down[:, None] + across[None], atol=1e-12)


def test_every_table_learns_at_any_size() -> None:
    positions = GridPositions(width=4)
    positions(torch.zeros(3, 5, 6, 4), torch.tensor([0, 1, 2])).square().sum().backward()
    for table in positions.parameters():
        assert table.grad is not None
        assert table.grad.abs().sum() > 0
