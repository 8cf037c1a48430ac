"""Whether to train in bfloat16 on the machine at hand."""

from __future__ import annotations

from typing import Literal

import torch

__all__ = ["Precision", "use_bf16"]

Precision = Literal["auto", "bf16", "fp32"]


def use_bf16(precision: Precision) -> bool:
    """Tell whether to autocast to bfloat16.

    Args:
        precision: ``bf16`` and ``fp32`` decide; ``auto`` takes bfloat16 where the GPU, or without one the processor,
            computes in it natively (on other processors it is slower than float32).
    """
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()) and _fast_bf16()


def _fast_bf16() -> bool:
    """OneDNN also emulates bfloat16; only AVX-512 BF16 or AMX make it faster."""
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
