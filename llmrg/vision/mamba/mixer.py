"""The Mamba mixer over several directions, all of them in one scan."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmrg.vision.mamba.directions import inverse_orders
from llmrg.vision.selective_scan import selective_scan

__all__ = ["MambaMixer"]

_STEP_RANGE = (1e-3, 1e-1)
"""Step sizes at the start, drawn evenly on a logarithmic scale (Gu and Dao 2023, section 3.6)."""


class MambaMixer(nn.Module):
    """Mix tokens: project, convolve causally, scan selectively, gate, project back.

    Each direction has a convolution, step sizes, decays, B, C and a skip of its own; the projections in and out are
    shared, and the directions' answers are averaged (MambaXray-VL's block; with one direction Mamba's own).

    Legend: B batch, L tokens, K directions, E inner width, R rank of the step sizes, N numbers a state.

    Args:
        width: of the tokens.
        orders: [K, L], as :func:`llmrg.vision.mamba.directions.scan_orders` gives them.
        expand: E divided by ``width``.
        states: N.
        kernel: steps that the causal convolution sees.
        rank: R; None takes a sixteenth of ``width``, rounded up.
        scan: implementation of the selective scan.
    """

    orders: Tensor
    inverse: Tensor

    def __init__(
        self,
        *,
        width: int,
        orders: Tensor,
        expand: int = 1,
        states: int = 16,
        kernel: int = 4,
        rank: int | None = None,
        scan: str = "auto",
    ) -> None:
        super().__init__()
        directions, inner = len(orders), expand * width
        rank = math.ceil(width / 16) if rank is None else rank
        self.states, self.kernel, self.rank, self.scan = states, kernel, rank, scan
        self.register_buffer("orders", orders, persistent=False)
        self.register_buffer("inverse", inverse_orders(orders), persistent=False)
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        self.conv_weight = nn.Parameter(torch.empty(kernel, directions, inner))
        self.conv_bias = nn.Parameter(torch.empty(directions, inner))
        self.selection = nn.Parameter(torch.empty(directions, inner, rank + 2 * states))
        self.step_weight = nn.Parameter(torch.empty(directions, rank, inner))
        self.step_bias = nn.Parameter(torch.empty(directions, inner))
        self.log_decay = nn.Parameter(torch.arange(1, states + 1).log().expand(directions, inner, states).clone())
        self.skip = nn.Parameter(torch.ones(directions, inner))
        self.out_proj = nn.Linear(inner, width, bias=False)
        self._initialise(inner)

    @torch.no_grad()
    def _initialise(self, inner: int) -> None:
        bound = 1 / math.sqrt(self.kernel)
        nn.init.uniform_(self.conv_weight, -bound, bound)
        nn.init.uniform_(self.conv_bias, -bound, bound)
        nn.init.uniform_(self.selection, -1 / math.sqrt(inner), 1 / math.sqrt(inner))
        nn.init.uniform_(self.step_weight, -(self.rank**-0.5), self.rank**-0.5)
        low, high = (math.log(end) for end in _STEP_RANGE)
        steps = torch.exp(torch.rand_like(self.step_bias) * (high - low) + low)
        self.step_bias.copy_(steps + torch.log(-torch.expm1(-steps)))  # so that softplus gives the steps

    def forward(self, tokens: Tensor) -> Tensor:
        """Mix.

        Args:
            tokens: [B, L, width].

        Returns:
            [B, L, width].
        """
        batch, length, _ = tokens.shape
        inner, gate = self.in_proj(tokens).chunk(2, dim=-1)
        # [B, L, K, E]: direction by direction in the order in which it reads.
        ordered = inner.index_select(1, self.orders.T.flatten()).view(batch, length, *self.skip.shape)
        ordered = F.silu(self._convolve(ordered))
        chosen = torch.einsum("blke,kef->blkf", ordered, self.selection)
        step, b, c = chosen.split([self.rank, self.states, self.states], dim=-1)
        delta = F.softplus(torch.einsum("blkr,kre->blke", step, self.step_weight) + self.step_bias)
        decay = -torch.exp(self.log_decay.to(torch.promote_types(self.log_decay.dtype, torch.float32)))
        scanned = selective_scan(ordered, delta, decay, b, c, self.skip, implementation=self.scan)
        # Back to the tokens' own order; the gate, a factor for each token, is the same for every direction.
        places = self.inverse * len(self.orders) + torch.arange(len(self.orders), device=tokens.device).unsqueeze(1)
        returned = scanned.flatten(1, 2).index_select(1, places.T.flatten()).view(batch, length, *self.skip.shape)
        return self.out_proj(returned.mean(dim=2) * F.silu(gate))

    def _convolve(self, ordered: Tensor) -> Tensor:
        """Convolve each channel over the steps before, as a sum of shifted products."""
        length = ordered.shape[1]
        padded = F.pad(ordered, (0, 0, 0, 0, self.kernel - 1, 0))
        out = self.conv_bias.expand_as(ordered)
        for step, weight in enumerate(self.conv_weight):
            out = torch.addcmul(out, padded[:, step : step + length], weight)
        return out
