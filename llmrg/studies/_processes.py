"""Work on many films by several processes: results in order, only a few of them in memory at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from llmrg.errors import UserError

__all__ = ["available_cores", "map_in_order"]

T = TypeVar("T")
R = TypeVar("R")


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(function: Callable[[T], R], items: Iterable[T], *, workers: int | None, chunk: int = 4) -> Iterator[R]:
    """Apply a function to items in worker processes.

    Args:
        function: a module's function (or a ``partial`` of one); its errors are raised here.
        items: what it is applied to.
        workers: processes, as many as there are cores by default; 1 works in this process.
        chunk: items that travel together.

    Yields:
        The results in the order of the items; at most ``4 * workers`` chunks are under way.

    Raises:
        UserError: a worker process was killed, or the number of workers is not positive.
    """
    count = available_cores() if workers is None else workers
    if count < 1:
        raise UserError(f"There must be at least one worker, not {count}", where="workers")
    if count == 1:
        yield from map(function, items)
        return
    source = iter(items)
    # Forking spares each worker the import of everything.
    way = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    pool = ProcessPoolExecutor(
        count, mp_context=multiprocessing.get_context(way), initializer=_start_worker, initargs=(os.getpid(),)
    )
    under_way: deque[Future[list[R]]] = deque()
    try:
        while True:
            while len(under_way) < 4 * count and (part := list(islice(source, chunk))):
                under_way.append(pool.submit(_apply, function, part))
            if not under_way:
                break
            yield from under_way.popleft().result()
    except BrokenProcessPool:
        raise UserError(
            "A worker process was killed (perhaps the memory was not enough)", next_step="use fewer --workers"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _apply(function: Callable[[T], R], part: list[T]) -> list[R]:
    return [function(item) for item in part]


def _start_worker(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's matter
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when the parent is gone: a killed parent cannot end its workers."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
