"""The one function that blocks call: shapes, precision, skip connection, choice of the implementation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType

import torch
from torch import Tensor

from llmrg.errors import UserError
from llmrg.vision.selective_scan.chunked import scan_chunked
from llmrg.vision.selective_scan.fused import fused_scan_available, scan_fused
from llmrg.vision.selective_scan.reference import scan_reference
from llmrg.vision.selective_scan.sequential import scan_sequential

__all__ = ["IMPLEMENTATIONS", "available_implementations", "selective_scan"]

Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]

IMPLEMENTATIONS: Mapping[str, Scan] = MappingProxyType(
    {"reference": scan_reference, "sequential": scan_sequential, "chunked": scan_chunked, "mamba_ssm": scan_fused}
)
"""``reference``: the plain formula, for tests. ``sequential``: least memory. ``chunked``: quickest without a kernel.
``mamba_ssm``: the CUDA kernel of that package. All are equal in values and gradients."""


def available_implementations() -> tuple[str, ...]:
    """Names of the implementations that run on this machine."""
    return tuple(name for name in IMPLEMENTATIONS if name != "mamba_ssm" or fused_scan_available())


def selective_scan(
    u: Tensor,
    delta: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    skip: Tensor | None = None,
    *,
    implementation: str = "auto",
) -> Tensor:
    """Run the state space recurrence of Mamba (Gu and Dao 2023, equations 2 and 4, with their simplified B).

    For each channel ``h_t = exp(delta_t a) * h_{t-1} + delta_t u_t b_t`` and ``y_t = <c_t, h_t> + skip u_t``, with
    ``h_0 = 0``. Channels come in groups that share b and c: several scan directions of one block are groups, so that
    one call runs them all.

    Legend: B batch, L length, G groups, E channels a group, N numbers a state.

    Args:
        u: inputs [B, L, G, E].
        delta: step sizes [B, L, G, E], positive (after softplus).
        a: [G, E, N], negative.
        b: [B, L, G, N].
        c: [B, L, G, N].
        skip: [G, E], or None.
        implementation: a name of :data:`IMPLEMENTATIONS`, or ``auto``: ``mamba_ssm`` on a GPU that has it, else
            ``chunked``.

    Returns:
        [B, L, G, E], in the type of ``u``. The recurrence itself runs in float32 at least.

    Raises:
        UserError: an unknown implementation, or one that cannot run here.
        ValueError: shapes that do not fit.
    """
    _check_shapes(u, delta, a, b, c, skip)
    if implementation == "auto":
        implementation = "mamba_ssm" if u.is_cuda and fused_scan_available() else "chunked"
    scan = IMPLEMENTATIONS.get(implementation)
    if scan is None:
        raise UserError(
            f"Unknown selective scan {implementation!r}", allowed=("auto", *IMPLEMENTATIONS), got=implementation
        )
    kind = torch.float64 if u.dtype == torch.float64 else torch.float32
    with _exactly(u.device.type):
        out = scan(*(tensor.to(kind) for tensor in (u, delta, a, b, c)))
        if skip is not None:
            out = torch.addcmul(out, u.to(kind), skip.to(kind))
    return out.to(u.dtype)


def _exactly(device: str) -> AbstractContextManager[object]:
    """Without autocast, where the device knows it (the meta device does not)."""
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


def _check_shapes(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor | None) -> None:
    if u.dim() != 4 or a.dim() != 3 or 0 in u.shape:
        raise ValueError(f"u must be [B, L, G, E] and a [G, E, N], not {tuple(u.shape)} and {tuple(a.shape)}")
    batch, length, groups, width = u.shape
    wanted = {
        "delta": (delta, u.shape),
        "a": (a, (groups, width, a.shape[2])),
        "b": (b, (batch, length, groups, a.shape[2])),
        "c": (c, (batch, length, groups, a.shape[2])),
    }
    if skip is not None:
        wanted["skip"] = (skip, (groups, width))
    for name, (tensor, shape) in wanted.items():
        if tuple(tensor.shape) != tuple(shape):
            raise ValueError(f"{name} must be {tuple(shape)}, not {tuple(tensor.shape)}")
