"""The processes of a training: which one this is, what only the first does, and how an error of one ends all."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import distributed
from torch.distributed.rendezvous import rendezvous

from llmrg.errors import LlmrgError, UserError

__all__ = [
    "PATIENCE",
    "LostProcessError",
    "MainProcessError",
    "alone",
    "by_main_process",
    "is_main_process",
    "naming_lost_processes",
    "open_process_group",
    "runs_on_gpu",
    "wait_for_everyone",
    "world_size",
]

logger = logging.getLogger(__name__)

PATIENCE = timedelta(hours=2)
"""How long a process waits in a collective operation for the others: the longest validation or saving."""

_POLL_SECONDS = 0.5
_LAUNCHER_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_LAUNCHER_PREFIXES = ("LOCAL_", "GROUP_", "ROLE_", "TORCHELASTIC_", "ACCELERATE_")

_LOST = ("closed by peer", "reset by peer", "Broken pipe", "remote process exited", "NCCL", "recv error", "send error")

_store: Any = None
_rounds = 0


class MainProcessError(LlmrgError):
    """The main process ended with an error, so this one ends too."""


class LostProcessError(LlmrgError):
    """Another process of this training has ended without a word, so this one cannot go on."""


def world_size() -> int:
    """Number of processes that the launcher started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Tell whether this process writes what is written once."""
    return int(os.environ.get("RANK", "0")) == 0


def runs_on_gpu() -> bool:
    """Tell whether training takes place on GPUs: there are some, and the launch file does not ask for the processor."""
    return torch.cuda.is_available() and os.environ.get("ACCELERATE_USE_CPU", "false").lower() not in ("true", "1")


def wait_for_everyone() -> None:
    """Wait until every process is here."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()


def open_process_group() -> None:
    """Connect the processes of a launch on processors, with :data:`PATIENCE`.

    On GPUs accelerate connects them, with the time-out of the training arguments; on processors it would take the half
    hour that torch has by default.
    """
    if world_size() > 1 and not runs_on_gpu() and not distributed.is_initialized():
        distributed.init_process_group("gloo", timeout=PATIENCE)


def by_main_process(work: Callable[[], Any]) -> Any:
    """Have the main process do something, as if it were alone, while the others wait as long as it takes.

    There is no barrier, whose time-out would end a build of some hours: the others ask the store of the launch, twice a
    second, whether it is done. Every process must call this, in the same order.

    Args:
        work: what to do; what it returns must be representable as JSON.

    Returns:
        What ``work`` returned, in every process.

    Raises:
        MainProcessError: in the other processes, if ``work`` raised an error (which the main process raises itself), or
            the main process has gone.
    """
    global _rounds
    if world_size() == 1:
        return work()
    _rounds += 1
    store, key = _connect(), f"llmrg/{_rounds}"
    if not is_main_process():
        return _await(store, key)
    try:
        with alone():
            value = work()
    except BaseException as error:
        store.set(key, json.dumps({"error": str(error) or type(error).__name__}))
        raise
    store.set(key, json.dumps({"value": value}))
    return value


@contextmanager
def naming_lost_processes() -> Iterator[None]:
    """Say in words what the connection to a process that was killed, or whose machine is gone, says in its own.

    Raises:
        LostProcessError: in place of torch's error.
    """
    try:
        yield
    except RuntimeError as error:
        if world_size() == 1 or not any(words in str(error) for words in _LOST):
            raise
        raise LostProcessError(
            f"another process of this training has gone ({_first_line(error)}): it was killed, perhaps for lack of "
            "memory, or its machine is gone; whole checkpoints stay, go on with the same command and --resume"
        ) from error


@contextmanager
def alone() -> Iterator[None]:
    """Hide the launcher from the libraries, so that what is trained within is trained by this process alone."""
    hidden = {
        name: value
        for name, value in os.environ.items()
        if (name in _LAUNCHER_VARIABLES or name.startswith(_LAUNCHER_PREFIXES)) and name != "ACCELERATE_USE_CPU"
    }
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def _connect() -> Any:
    """The key-value store that the launcher (or the main process, where the launcher has none) keeps."""
    global _store
    if _store is None:
        try:
            _store, _, _ = next(rendezvous("env://", timeout=timedelta(minutes=10)))
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"The processes of this launch do not find each other ({_first_line(error)})",
                where=f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}",
                next_step="check main_process_ip, main_process_port and machine_rank on each machine",
            ) from error
    return _store


def _await(store: Any, key: str) -> Any:
    try:
        while not store.check([key]):
            time.sleep(_POLL_SECONDS)
        outcome = json.loads(store.get(key))
    except RuntimeError as error:  # torch's DistNetworkError is one
        raise MainProcessError(f"the main process of this launch has gone ({_first_line(error)})") from error
    if "error" in outcome:
        raise MainProcessError(f"the main process ended with: {outcome['error']}")
    return outcome["value"]


def _first_line(error: BaseException) -> str:
    """The first sentence of an error of torch, without the place in its source."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return re.sub(r"^\[[^\]]*\] *", "", line).split(". ")[0][:200].rstrip(". ")
