"""The plain formula: discretise everything, then recur."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["scan_reference"]


def scan_reference(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Scan as the equations stand; keeps tensors of [B, L, D, N].

    Args:
        u: [B, L, G, E].
        delta: [B, L, G, E], positive.
        a: [G, E, N].
        b: [B, L, G, N].
        c: [B, L, G, N].

    Returns:
        [B, L, G, E].
    """
    decay = torch.exp(delta.unsqueeze(-1) * a)
    driven = (delta * u).unsqueeze(-1) * b.unsqueeze(3)
    state = torch.zeros_like(driven[:, 0])
    states = []
    for t in range(u.shape[1]):
        state = decay[:, t] * state + driven[:, t]
        states.append(state)
    return (torch.stack(states, dim=1) * c.unsqueeze(3)).sum(-1)
