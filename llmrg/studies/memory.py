"""Memory that is free but still counted as ours, given back to the system."""

from __future__ import annotations

import ctypes
import sys

import pyarrow as pa

__all__ = ["give_back_memory"]


def give_back_memory() -> None:
    """Have the allocators return what they hold for later; worth a call after a million studies were gone through.

    Reading makes and frees many small objects. glibc keeps their pages (tens of megabytes), as Arrow's pool may.
    """
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
        if trim is not None:
            trim(0)
