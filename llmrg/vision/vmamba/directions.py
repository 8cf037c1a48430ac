"""The cross-scan: four orders in which a block reads a map, and the way back."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["merge_directions", "read_directions"]


def read_directions(grouped: Tensor) -> Tensor:
    """Read each of four groups of channels in a direction of its own.

    The directions are rows forwards, columns forwards, rows backwards and columns backwards, in this order (Liu et al.
    2024, VMamba, figure 3; the order of its published weights, which is not that of
    :func:`llmrg.vision.mamba.directions.scan_orders`).

    Args:
        grouped: [B, h, w, 4, C]; one map for all directions is expanded along the fourth dimension.

    Returns:
        [B, h * w, 4, C], a direction's tokens in the order in which it reads them.
    """
    rows, columns, rows_back, columns_back = grouped.unbind(3)
    return torch.stack(
        [
            rows.flatten(1, 2),
            columns.transpose(1, 2).flatten(1, 2),
            rows_back.flatten(1, 2).flip(1),
            columns_back.transpose(1, 2).flatten(1, 2).flip(1),
        ],
        dim=2,
    )


def merge_directions(read: Tensor, height: int, width: int) -> Tensor:
    """Bring what four directions have answered back to its places and add it up.

    Args:
        read: [B, height * width, 4, C], in the order of :func:`read_directions`.
        height: rows of the map.
        width: its columns.

    Returns:
        [B, height, width, C].
    """
    rows, columns, rows_back, columns_back = read.unbind(2)
    by_rows = (rows + rows_back.flip(1)).unflatten(1, (height, width))
    by_columns = (columns + columns_back.flip(1)).unflatten(1, (width, height))
    return by_rows + by_columns.transpose(1, 2)
