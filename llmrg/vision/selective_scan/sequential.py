"""Step by step with one state in memory; gradients from states kept once a chunk."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["scan_sequential"]


def scan_sequential(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Scan with one step at a time: the least memory, and the plainest derivation of the gradients.

    Shapes as in :func:`llmrg.vision.selective_scan.reference.scan_reference`.
    """
    return _SequentialScan.apply(u, delta, a, b, c)


def _step(state: Tensor, decay: Tensor, driven: Tensor) -> Tensor:
    return torch.addcmul(driven, decay, state)


class _SequentialScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        state = u.new_zeros(u.shape[0], *a.shape)
        length = u.shape[1]
        every = max(1, round(length**0.5))
        kept, out = [], torch.empty_like(u)
        for t in range(length):
            if t % every == 0:
                kept.append(state)
            decay = torch.exp(delta[:, t, ..., None] * a)
            state = _step(state, decay, (delta[:, t] * u[:, t]).unsqueeze(-1) * b[:, t, :, None])
            out[:, t] = (state * c[:, t, :, None]).sum(-1)
        ctx.save_for_backward(u, delta, a, b, c, *kept)
        ctx.every = every
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        u, delta, a, b, c, *kept = ctx.saved_tensors
        length = u.shape[1]
        grad_u, grad_delta = torch.empty_like(u), torch.empty_like(delta)
        grad_a, grad_b, grad_c = torch.zeros_like(a), torch.empty_like(b), torch.empty_like(c)
        carried = torch.zeros_like(kept[0])
        for place in reversed(range(len(kept))):
            start = place * ctx.every
            steps = range(start, min(start + ctx.every, length))
            states, decays = [kept[place]], []
            for t in steps:
                decays.append(torch.exp(delta[:, t, ..., None] * a))
                states.append(_step(states[-1], decays[-1], (delta[:, t] * u[:, t]).unsqueeze(-1) * b[:, t, :, None]))
            for t in reversed(steps):
                before, after, decay = states[t - start], states[t - start + 1], decays[t - start]
                grad_c[:, t] = (grad[:, t].unsqueeze(-1) * after).sum(2)
                carried = torch.addcmul(carried, grad[:, t].unsqueeze(-1), c[:, t, :, None])
                by_input = (carried * b[:, t, :, None]).sum(-1)
                by_decay = carried * before * decay
                grad_u[:, t] = by_input * delta[:, t]
                grad_delta[:, t] = by_input * u[:, t] + (by_decay * a).sum(-1)
                grad_b[:, t] = (carried * (delta[:, t] * u[:, t]).unsqueeze(-1)).sum(2)
                grad_a += (by_decay * delta[:, t].unsqueeze(-1)).sum(0)
                carried = carried * decay
        return grad_u, grad_delta, grad_a, grad_b, grad_c
