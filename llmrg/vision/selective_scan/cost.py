"""What the chunked scan costs, by formula: it is one operation to whoever rehearses a system without its contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from llmrg.vision.selective_scan.chunked import chunk_steps

__all__ = ["SCAN_COSTS", "ScanCost"]


@dataclass(frozen=True, kw_only=True)
class ScanCost:
    """Cost of one call.

    Args:
        flops: floating-point operations; a multiplication with its addition counts as two, an exponential as one.
        traffic: bytes that its steps read and write, in the cache or not.
        operations: how many operations it starts.
        workspace: bytes beside inputs and outputs at the fullest moment.
    """

    flops: int
    traffic: int
    operations: int
    workspace: int


def _forward(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> ScanCost:
    """Cost of the forward pass, counted along the recurrence (Gu and Dao 2023, arXiv 2312.00752, equation 2).

    With S = B L D N numbers in all states (D = G E channels): ``exp(delta a)`` takes 2 S, ``b (delta u)`` S and B L D,
    the step ``decay h + drive`` 2 S, the sum ``<c, h>`` 2 S: 7 S + B L D in all, which is the O(B L D N) of their
    section 3.3. Buffers of states are written or read nine times: decays 1, exponential 2, drive 1, step 4, sum 1.
    """
    states, channels, chunks = u.numel() * a.shape[1], u.numel(), -(-u.shape[0] // chunk_steps(u, a))
    one = chunk_steps(u, a) * states // u.shape[0]
    outer = 3 * channels + u.numel() + delta.numel() + b.numel() + c.numel()
    return ScanCost(
        flops=7 * states + channels,
        traffic=u.element_size() * (9 * states + outer),
        operations=3 + 6 * chunks + u.shape[0],
        workspace=u.element_size() * (channels + 2 * one),
    )


def _backward(grad: Tensor, u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, kept: Tensor) -> ScanCost:
    """Cost of the backward pass of the same recurrence, which computes the states of each chunk again.

    States again 5 S; gradient of c 2 S; carried gradient ``c g`` S, then ``+ decay`` times the next one 2 S; sum with b
    2 S; exponents 2 S; gradients of b, delta and a 2 S each: 20 S, and 5 B L D for the products of channels. Buffers of
    states are written or read 34 times: states 8, gradient of c 3, carried 5, sum with b 1, exponents 6, gradients of
    b 3, delta 3 and a 3, next carried gradients and border states 2.
    """
    states, channels, chunks = u.numel() * a.shape[1], u.numel(), kept.shape[0]
    one = chunk_steps(u, a) * states // u.shape[0]
    outer = 9 * channels + 3 * (b.numel() + c.numel())
    return ScanCost(
        flops=20 * states + 5 * channels,
        traffic=u.element_size() * (34 * states + outer),
        operations=6 + 18 * chunks + 2 * u.shape[0],
        workspace=u.element_size() * (channels + 3 * one + 2 * (states // u.shape[0])),
    )


SCAN_COSTS: Mapping[Any, Callable[..., ScanCost]] = MappingProxyType(
    {torch.ops.llmrg.scan_chunks: _forward, torch.ops.llmrg.scan_chunks_backward: _backward}
)
"""By operation, from its arguments."""
