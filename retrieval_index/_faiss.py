"""FAISS, imported when first needed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from retrieval_index.errors import FaissMissingError


def load_faiss() -> Any:
    """Return the ``faiss`` module.

    Raises:
        FaissMissingError: it is not installed.
    """
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise FaissMissingError(
            "FAISS is not installed; install the extra [cpu] (faiss-cpu) or [gpu] (faiss-gpu), "
            "for example: pip install 'llmrg[cpu]'"
        ) from error


def gpu_count() -> int:
    """Return how many GPUs FAISS can use (0 for the CPU package)."""
    faiss = load_faiss()
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else 0


@contextmanager
def one_thread(wanted: bool = True) -> Iterator[None]:
    """Let FAISS use one thread inside the block, and as many as before after it."""
    faiss = load_faiss()
    before = faiss.omp_get_max_threads()
    if wanted:
        faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
