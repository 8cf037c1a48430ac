"""The CUDA kernel of the package mamba-ssm."""

from __future__ import annotations

import importlib.util
from functools import cache

import torch
from torch import Tensor

from llmrg.errors import UserError

__all__ = ["fused_scan_available", "scan_fused"]


@cache
def fused_scan_available() -> bool:
    """Tell whether mamba-ssm and a CUDA device are there."""
    return torch.cuda.is_available() and importlib.util.find_spec("mamba_ssm") is not None


def scan_fused(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Scan with mamba-ssm's kernel; groups are its groups. Shapes as in the reference.

    Raises:
        UserError: tensors that are not on a CUDA device, or mamba-ssm is not installed.
    """
    if not u.is_cuda:
        raise UserError("The selective scan 'mamba_ssm' needs tensors on a CUDA device", got=str(u.device))
    try:
        from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
    except ImportError as error:
        raise UserError(
            "The selective scan 'mamba_ssm' needs the package mamba-ssm", next_step="pip install -e '.[mamba]'"
        ) from error
    batch, length, groups, width = u.shape
    channels = (tensor.reshape(batch, length, groups * width).transpose(1, 2).contiguous() for tensor in (u, delta))
    inputs = (tensor.permute(0, 2, 3, 1).contiguous() for tensor in (b, c))
    out: Tensor = selective_scan_fn(*channels, a.flatten(0, 1).contiguous(), *inputs)
    return out.transpose(1, 2).reshape(batch, length, groups, width)
