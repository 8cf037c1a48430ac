"""Where a visual token lies: row, column and view."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["GridPositions"]


class GridPositions(nn.Module):
    """Add learnt row, column and view embeddings to feature maps of any grid size.

    Row and column tables have ``resolution`` entries, from the first row or column of a film to its last; they are
    interpolated linearly to the grid at hand, so a trained module reads films of another size.

    Args:
        width: D, channels of the feature map.
        resolution: entries of the row and column tables.
        views: number of view codes.
    """

    def __init__(self, *, width: int, resolution: int = 16, views: int = 3) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.randn(resolution, width) * 0.02)
        self.columns = nn.Parameter(torch.randn(resolution, width) * 0.02)
        self.views = nn.Parameter(torch.randn(views, width) * 0.02)

    def forward(self, maps: Tensor, views: Tensor) -> Tensor:
        """Add the embeddings.

        Args:
            maps: [N, h, w, D].
            views: [N] long view codes.

        Returns:
            [N, h, w, D].
        """
        rows = _resample(self.rows, maps.shape[1])
        columns = _resample(self.columns, maps.shape[2])
        return maps + rows[None, :, None] + columns[None, None] + self.views[views][:, None, None]


def _resample(table: Tensor, length: int) -> Tensor:
    resized = functional.interpolate(table.T.unsqueeze(0), size=length, mode="linear", align_corners=True)
    return resized.squeeze(0).T
