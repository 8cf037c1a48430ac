"""Chunk by chunk: states of one chunk at a time in the cache, sums over states as matrix products."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["chunk_steps", "scan_chunked", "scan_chunks", "scan_chunks_backward"]

_CHUNK_BYTES = 1 << 21
"""Size that one buffer of a chunk's states may have: several of them stay in the cache of a core."""


def scan_chunked(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Scan with the states of one chunk at a time; only the states between chunks are kept for the gradients.

    Within a chunk all decays are computed at once, the recurrence is one fused multiplication and addition a step, and
    the sums over the N numbers of a state (outputs) and over channels (gradients of B and C) are matrix products.
    Shapes as in :func:`llmrg.vision.selective_scan.reference.scan_reference`.
    """
    return _ChunkedScan.apply(u, delta, a, b, c)


def chunk_steps(u: Tensor, a: Tensor) -> int:
    """Steps of one chunk, for u [L, B, G, E] and a [G, N, E]."""
    length, batch = u.shape[:2]
    return max(4, min(length, _CHUNK_BYTES // max(1, batch * a.numel() * u.element_size())))


def _by_step(tensor: Tensor) -> Tensor:
    """[B, L, ...] as [L, B, ...], contiguous: every step of the recurrence then is one block of memory."""
    return tensor.transpose(0, 1).contiguous()


def _fill_states(
    states: Tensor, decay: Tensor, start: Tensor, drive: Tensor, delta: Tensor, a: Tensor, b: Tensor
) -> None:
    """Fill decays and states [c, B, G, N, E] of a chunk that begins with the state ``start`` [B, G, N, E]."""
    torch.mul(delta.unsqueeze(-2), a, out=decay)
    decay.exp_()
    torch.mul(b.unsqueeze(-1), drive.unsqueeze(-2), out=states)
    state = start
    for now, decay_now in zip(states.unbind(0), decay.unbind(0), strict=True):
        now.addcmul_(decay_now, state)
        state = now


@torch.library.custom_op(
    "llmrg::scan_chunks",
    mutates_args=(),
    schema="(Tensor u, Tensor delta, Tensor a, Tensor b, Tensor c) -> (Tensor, Tensor)",
)
def scan_chunks(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Scan contiguous tensors that have their steps first; one operation to whoever traces or rehearses it.

    Channels stand last in the states: every product with a vector of channels then runs along the memory.

    Args:
        u: [L, B, G, E].
        delta: [L, B, G, E].
        a: [G, N, E].
        b: [L, B, G, N].
        c: [L, B, G, N].

    Returns:
        The outputs [L, B, G, E], and the state [K, B, G, N, E] before each of the K chunks.
    """
    size = chunk_steps(u, a)
    drive = delta * u
    length, batch = u.shape[:2]
    out = torch.empty_like(u)
    states = u.new_empty(size, batch, *a.shape)
    decay = torch.empty_like(states)
    kept = u.new_empty(-(-length // size), batch, *a.shape)
    start = u.new_zeros(batch, *a.shape)
    for place, low in enumerate(range(0, length, size)):
        high = min(low + size, length)
        kept[place] = start
        part = states[: high - low]
        _fill_states(part, decay[: high - low], kept[place], drive[low:high], delta[low:high], a, b[low:high])
        torch.matmul(c[low:high].unsqueeze(-2), part, out=out[low:high].unsqueeze(-2))
        start = part[-1]
    return out, kept


@torch.library.custom_op(
    "llmrg::scan_chunks_backward",
    mutates_args=(),
    schema="(Tensor grad, Tensor u, Tensor delta, Tensor a, Tensor b, Tensor c, Tensor kept)"
    " -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def scan_chunks_backward(
    grad: Tensor, u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, kept: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of u, delta, a, b and c of :func:`scan_chunks`, each of the shape of its tensor.

    Args:
        grad: [L, B, G, E], of the outputs.
        u: as there.
        delta: as there.
        a: as there.
        b: as there.
        c: as there.
        kept: the states before the chunks.
    """
    size, length, batch = chunk_steps(u, a), u.shape[0], u.shape[1]
    drive = delta * u
    by_drive, by_delta = torch.empty_like(u), torch.empty_like(u)
    grad_b, grad_c, grad_a = torch.empty_like(b), torch.empty_like(c), torch.zeros_like(a)
    states = u.new_empty(size, batch, *a.shape)
    decay, carried = torch.empty_like(states), torch.empty_like(states)
    later = u.new_zeros(batch, *a.shape)
    for place in reversed(range(len(kept))):
        low = place * size
        high = min(low + size, length)
        now = slice(low, high)
        state, decays, carry = states[: high - low], decay[: high - low], carried[: high - low]
        _fill_states(state, decays, kept[place], drive[now], delta[now], a, b[now])
        # Not a matrix product: batches of products of a few rows with one vector are slow in BLAS.
        torch.sum(torch.mul(state, grad[now].unsqueeze(-2), out=carry), dim=-1, out=grad_c[now])
        torch.mul(c[now].unsqueeze(-1), grad[now].unsqueeze(-2), out=carry)
        steps, factors = carry.unbind(0), decays.unbind(0)
        steps[-1].add_(later)
        for t in range(high - low - 1, 0, -1):
            steps[t - 1].addcmul_(factors[t], steps[t])
        later = factors[0] * steps[0]
        torch.matmul(b[now].unsqueeze(-2), carry, out=by_drive[now].unsqueeze(-2))
        # The gradient of each exponent: the carried gradient times the decayed state before the step.
        exponent = decays.mul_(carry)
        exponent[1:].mul_(state[:-1])
        exponent[0].mul_(kept[place])
        free = state
        torch.sum(torch.mul(carry, drive[now].unsqueeze(-2), out=free), dim=-1, out=grad_b[now])
        torch.sum(torch.mul(exponent, a, out=free), dim=-2, out=by_delta[now])
        grad_a += torch.mul(exponent, delta[now].unsqueeze(-2), out=free).sum((0, 1))
    by_delta.addcmul_(by_drive, u)
    by_drive.mul_(delta)
    return by_drive, by_delta, grad_a, grad_b, grad_c


@scan_chunks.register_fake
def _(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    chunks = -(-u.shape[0] // chunk_steps(u, a))
    return torch.empty_like(u), u.new_empty(chunks, u.shape[1], *a.shape)


@scan_chunks_backward.register_fake
def _(
    grad: Tensor, u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, kept: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    like = torch.empty_like
    return like(u), like(u), like(a), like(b), like(c)


class _ChunkedScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        u, delta, b, c = (_by_step(tensor) for tensor in (u, delta, b, c))
        a = a.transpose(-1, -2).contiguous()
        out, kept = scan_chunks(u, delta, a, b, c)
        ctx.save_for_backward(u, delta, a, b, c, kept)
        return out.transpose(0, 1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        found = scan_chunks_backward(_by_step(grad), *ctx.saved_tensors)
        grad_u, grad_delta, grad_a, grad_b, grad_c = found
        by_step = (tensor.transpose(0, 1) for tensor in (grad_u, grad_delta, grad_b, grad_c))
        grad_u, grad_delta, grad_b, grad_c = by_step
        return grad_u, grad_delta, grad_a.transpose(-1, -2), grad_b, grad_c
