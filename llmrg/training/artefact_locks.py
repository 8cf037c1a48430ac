"""Locks of the artefacts of a training: one process builds an artefact, nobody replaces one that is in use."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from llmrg.errors import UserError
from llmrg.training.leftovers import remove_leftovers
from llmrg.training.lock import FolderLock
from llmrg.training.processes import is_main_process, wait_for_everyone

__all__ = ["ArtefactLocks"]

T = TypeVar("T")
_PATIENCE_SECONDS = 5.0


class ArtefactLocks:
    """Shared locks on artefacts that are used, exclusive ones while they are built; a context manager.

    Two trainings with the same artefacts folder thus build each artefact once: the second waits, and takes what fits.

    Args:
        folder: of the artefacts.
        stages: the artefacts that are used or built.
    """

    def __init__(self, folder: Path, stages: Sequence[str]) -> None:
        self._locks = {stage: FolderLock(folder / stage) for stage in stages}

    def __enter__(self) -> ArtefactLocks:
        """Lock nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give every lock back."""
        for lock in self._locks.values():
            lock.release()

    def build(self, missing: Callable[[], Sequence[str]], build: Callable[[], T]) -> T:
        """Build under exclusive locks what is missing; shared locks stay until the end.

        Args:
            missing: tells which stages must be built; asked again whenever another process was waited for.
            build: builds them.

        Returns:
            What ``build`` returns.

        Raises:
            UserError: an artefact must be replaced that another training is using.
        """
        if is_main_process():
            self._claim(missing)
        wait_for_everyone()
        made = build()
        if is_main_process():
            self._share()
        return made

    def _claim(self, missing: Callable[[], Sequence[str]]) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            self._share()
            wanted = list(missing())
            refused = [stage for stage in wanted if not self._locks[stage].try_acquire()]
            if not refused:
                for stage in wanted:
                    remove_leftovers(self._locks[stage].path)
                return
            if time.monotonic() > until:
                lock = self._locks[refused[0]]
                raise UserError(
                    f"The artefact {refused[0]} must be built anew, but another training is using it",
                    where=str(lock.path),
                    next_step="wait for that training, or name another folder by artefacts=FOLDER",
                )
            # Two that wait for each other's shared lock should not try again at the same moment.
            time.sleep(random.SystemRandom().uniform(0.05, 0.4))

    def _share(self) -> None:
        for lock in self._locks.values():
            lock.acquire(shared=True)
