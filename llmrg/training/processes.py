"""Which of the launched processes this is."""

from __future__ import annotations

import os

from torch import distributed

__all__ = ["is_main_process", "wait_for_everyone", "world_size"]


def world_size() -> int:
    """Number of processes that the launcher started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Tell whether this process writes what is written once."""
    return int(os.environ.get("RANK", "0")) == 0


def wait_for_everyone() -> None:
    """Wait until every process is here."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()
