"""The orders in which a block reads the patches of a film."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["inverse_orders", "scan_orders"]


def scan_orders(height: int, width: int, *, directions: int, class_token: bool = True) -> Tensor:
    """Return the orders of a grid of patches whose tokens stand row by row, the class token in the middle.

    The directions are rows forwards, rows backwards, columns forwards and columns backwards, in this order (Wang et al.
    2024, MambaXray-VL; Liu et al. 2024, VMamba); the class token keeps its place in each.

    Args:
        height: rows of the grid.
        width: its columns.
        directions: 1, 2 or 4.
        class_token: whether one stands behind the first half of the patches.

    Returns:
        [K, L] long: the token that each direction reads at each step.

    Raises:
        ValueError: another number of directions.
    """
    if directions not in (1, 2, 4):
        raise ValueError(f"directions must be 1, 2 or 4, not {directions}")
    patches = torch.arange(height * width).view(height, width)
    rows, columns = patches.flatten(), patches.T.flatten()
    orders = torch.stack([rows, rows.flip(0), columns, columns.flip(0)][:directions])
    if not class_token:
        return orders
    middle = height * width // 2
    orders = orders + (orders >= middle).long()
    token = torch.full((directions, 1), middle)
    # Read backwards, an odd number of patches has its middle one step later.
    halves = [middle if place % 2 == 0 else height * width - middle for place in range(directions)]
    return torch.stack(
        [torch.cat([order[:half], one, order[half:]]) for order, one, half in zip(orders, token, halves, strict=True)]
    )


def inverse_orders(orders: Tensor) -> Tensor:
    """Return [K, L]: the step at which each direction reads each token."""
    return orders.argsort(dim=1)
