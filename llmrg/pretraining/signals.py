"""SIGTERM, Ctrl-C, a closed terminal: a training loop finishes its step and saves, all else leaves at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from llmrg.errors import StoppedBySignalError

__all__ = ["HOW_TO_GO_ON", "SIGNALS", "catch_signals", "deferred", "immediate", "keep_working", "requested"]

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
HOW_TO_GO_ON = "go on with the same command and --resume"


class _State:
    """What this process knows of signals; a forked process (a data loading worker) is another one."""

    process: int | None = None
    requested: int | None = None
    deferring = False


_state = _State()


@contextmanager
def catch_signals() -> Iterator[None]:
    """Turn signals into :class:`StoppedBySignalError`, or into a request where :func:`deferred` is in force.

    A second signal ends the process at once. Signals that are ignored (``nohup``) stay ignored; outside of the main
    thread, and inside another such block, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread() or _state.process == os.getpid():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _state.process, _state.requested, _state.deferring = os.getpid(), None, False
    try:
        for number, handler in before.items():
            if handler not in (signal.SIG_IGN, None):
                signal.signal(number, _handle)
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
        _state.process, _state.requested, _state.deferring = None, None, False


@contextmanager
def deferred() -> Iterator[None]:
    """Only note a signal while the block runs; one that nobody acted on is raised at its end."""
    with _deferring(True):
        yield
    if _state.requested is not None and not _state.deferring:
        raise StoppedBySignalError(_state.requested, next_step=HOW_TO_GO_ON)


@contextmanager
def immediate(wanted: bool = True) -> Iterator[None]:
    """Inside of :func:`deferred`, raise signals at once again, also one that has come already (if ``wanted``)."""
    with _deferring(_state.deferring and not wanted):
        if _state.requested is not None and not _state.deferring:
            raise StoppedBySignalError(_state.requested, next_step=HOW_TO_GO_ON)
        yield


def requested() -> int | None:
    """The signal that came, if one did."""
    return _state.requested


def keep_working(*_: Any) -> None:
    """Have a data loading worker serve until the training's process has finished its step (a ``worker_init_fn``).

    Ctrl-C, and a signal to the whole process group, reach the workers too. The second SIGTERM ends a worker.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.signal(number, signal.SIG_DFL) and None)


@contextmanager
def _deferring(value: bool) -> Iterator[None]:
    before, _state.deferring = _state.deferring, value
    try:
        yield
    finally:
        _state.deferring = before


def _handle(number: int, frame: FrameType | None) -> None:
    if _state.process != os.getpid():
        return
    name = signal.Signals(number).name
    if _state.requested is not None:
        cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # a progress bar may have hidden it
        os.write(2, f"{cursor}{name} again: ending at once.\n".encode())
        os._exit(128 + number)
    _state.requested = number
    if not _state.deferring:
        raise StoppedBySignalError(number, next_step=HOW_TO_GO_ON)
    os.write(2, f"{name}: finishing the step and saving; a second signal ends at once.\n".encode())
