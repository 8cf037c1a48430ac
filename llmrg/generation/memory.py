"""Doing a batch of work with less at once where the memory is not enough, in the same order."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

__all__ = ["BatchSize", "is_memory_shortage"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

_WORDS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUDA out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def is_memory_shortage(error: BaseException) -> bool:
    """Tell whether an error says that there is too little memory, on a GPU or on the machine."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)


class BatchSize:
    """How many items are worked on at once: halved when memory is short, and never raised again.

    (accelerate's ``find_executable_batch_size`` starts the whole work anew; this keeps what is done.)

    Args:
        size: to begin with.
        what: the items, for the log.
    """

    def __init__(self, size: int, *, what: str) -> None:
        self.size = size
        self._what = what
        self._told = False

    def run(
        self,
        items: Sequence[T],
        work: Callable[[Sequence[T]], Sequence[R]],
        give_up: Callable[[T], R],
    ) -> list[R]:
        """Work on items, in order, at most :attr:`size` at once.

        Args:
            items: the items.
            work: gives one result an item.
            give_up: gives the result of an item that does not fit into the memory even alone.

        Returns:
            One result an item, in order.
        """
        results: list[R] = []
        while len(results) < len(items):
            part = items[len(results) : len(results) + self.size]
            try:
                results.extend(work(part))
                continue
            except Exception as error:
                if not is_memory_shortage(error):
                    raise
            # Outside of the handler, whose error holds on to the memory.
            _release()
            if len(part) > 1:
                self._halve(len(part))
            else:
                results.append(give_up(part[0]))
        return results

    def _halve(self, tried: int) -> None:
        self.size = (tried + 1) // 2
        if not self._told:
            logger.warning(
                "the memory is not enough for %d %s at once; going on with %d, and fewer if need be",
                tried,
                self._what,
                self.size,
            )
        self._told = True


def _release() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
