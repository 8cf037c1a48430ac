"""The mixer of a VMamba block: a convolution on the map, then four scans in one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmrg.vision.selective_scan import selective_scan
from llmrg.vision.vmamba.directions import merge_directions, read_directions

__all__ = ["CrossScanMixer"]

_DIRECTIONS = 4
_STEP_RANGE = (1e-3, 1e-1)
"""Step sizes at the start, drawn evenly on a logarithmic scale (Gu and Dao 2023, section 3.6)."""


class CrossScanMixer(nn.Module):
    """Mix the places of a map: project, convolve, scan in four directions, add up, normalise, project back.

    VMamba's SS2D without a gate (Liu et al. 2024, section 4.3; ``v3noz`` in its configurations). Each direction has
    step sizes, decays, B, C and a skip of its own; projections and convolution are shared.

    Legend: B batch, h x w map, L = h * w, K = 4 directions, E inner width, R rank of the step sizes, N numbers a state.

    Args:
        width: of the map.
        ratio: E divided by ``width``.
        states: N.
        kernel: side of the convolution, odd.
        rank: R; None takes a sixteenth of ``width``, rounded up.
        scan: implementation of the selective scan.
    """

    def __init__(
        self,
        *,
        width: int,
        ratio: float = 2.0,
        states: int = 1,
        kernel: int = 3,
        rank: int | None = None,
        scan: str = "auto",
    ) -> None:
        super().__init__()
        inner = int(ratio * width)
        rank = math.ceil(width / 16) if rank is None else rank
        self.states, self.rank, self.scan = states, rank, scan
        self.in_proj = nn.Linear(width, inner, bias=False)
        self.conv = nn.Conv2d(inner, inner, kernel, padding=kernel // 2, groups=inner, bias=False)
        self.selection = nn.Parameter(torch.empty(_DIRECTIONS, rank + 2 * states, inner))
        self.step_weight = nn.Parameter(torch.empty(_DIRECTIONS, inner, rank))
        self.step_bias = nn.Parameter(torch.empty(_DIRECTIONS, inner))
        self.log_decay = nn.Parameter(torch.arange(1, states + 1).log().expand(_DIRECTIONS, inner, states).clone())
        self.skip = nn.Parameter(torch.ones(_DIRECTIONS, inner))
        self.norm = nn.LayerNorm(inner)
        self.out_proj = nn.Linear(inner, width, bias=False)
        self._initialise(inner)

    @torch.no_grad()
    def _initialise(self, inner: int) -> None:
        nn.init.uniform_(self.selection, -1 / math.sqrt(inner), 1 / math.sqrt(inner))
        nn.init.uniform_(self.step_weight, -(self.rank**-0.5), self.rank**-0.5)
        low, high = (math.log(end) for end in _STEP_RANGE)
        steps = torch.exp(torch.rand_like(self.step_bias) * (high - low) + low)
        self.step_bias.copy_(steps + torch.log(-torch.expm1(-steps)))  # so that softplus gives the steps

    def forward(self, maps: Tensor) -> Tensor:
        """Mix.

        Args:
            maps: [B, h, w, width].

        Returns:
            [B, h, w, width].
        """
        height, width = maps.shape[1:3]
        inner = F.silu(self.conv(self.in_proj(maps).permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
        # What a direction selects at a place does not depend on its order: one product for all, ordered afterwards.
        chosen = F.linear(inner, self.selection.flatten(0, 1)).unflatten(-1, (_DIRECTIONS, -1))
        step, b, c = read_directions(chosen).split([self.rank, self.states, self.states], dim=-1)
        delta = F.softplus(torch.einsum("blkr,ker->blke", step, self.step_weight) + self.step_bias)
        decay = -torch.exp(self.log_decay.to(torch.promote_types(self.log_decay.dtype, torch.float32)))
        ordered = read_directions(inner.unsqueeze(3).expand(-1, -1, -1, _DIRECTIONS, -1))
        scanned = selective_scan(ordered, delta, decay, b, c, self.skip, implementation=self.scan)
        out: Tensor = self.out_proj(self.norm(merge_directions(scanned, height, width)))
        return out
