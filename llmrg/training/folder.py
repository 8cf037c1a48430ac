"""Where an unfinished training keeps its checkpoints and its logs."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from llmrg.errors import UserError
from llmrg.pretraining.checkpoints import IDENTITY, last_checkpoint, remove_unmarked, whole_checkpoints
from llmrg.training.changes import changed_keys, describe_training, may_change
from llmrg.training.leftovers import remove_leftovers
from llmrg.training.lock import FolderLock
from llmrg.training.processes import is_main_process, world_size
from llmrg.training.settings import TrainConfig

__all__ = ["TrainingFolder"]

logger = logging.getLogger(__name__)

ALLOW = "--allow-changes"


class TrainingFolder:
    """The checkpoints beside a run (``.NAME-training``, removed when the run is saved) and its logs (``logs/NAME``).

    One training at a time works on a run: use it as a context manager, which holds the run's lock.

    Attributes:
        checkpoints: folder of the checkpoints.
        logs: folder of the logs.
        identity: what the checkpoints are of; each of them holds it.

    Args:
        config: the training.
        split_hash: of its training studies.
        allow_changes: go on from checkpoints of another configuration where that makes sense.
    """

    def __init__(self, config: TrainConfig, *, split_hash: str, allow_changes: bool = False) -> None:
        self.checkpoints = config.out.parent / f".{config.out.name}-training"
        self.logs = config.out.parent / "logs" / config.out.name
        self._out = config.out
        self._lock = FolderLock(config.out)
        self._allow_changes = allow_changes
        described = describe_training(config, split_hash=split_hash, processes=max(1, world_size()))
        self.identity: dict[str, Any] = json.loads(json.dumps(described))

    def __enter__(self) -> TrainingFolder:
        """Take the run's lock.

        Raises:
            UserError: another process holds it.
        """
        if is_main_process():
            self._lock.acquire_now()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lock back."""
        self._lock.release()

    def begin(self, *, resume: bool) -> Path | None:
        """Make the folder ready; without ``resume`` what an earlier, unfinished training left is removed.

        Args:
            resume: go on from the last whole checkpoint.

        Returns:
            That checkpoint, if there is one.

        Raises:
            UserError: the checkpoints are of another configuration or of other studies; every key that differs is
                named with both values.
        """
        if is_main_process():
            remove_leftovers(self._out)
        if resume:
            last = self._last()
            if last is not None:
                self._require_same(last)
                if is_main_process():
                    remove_unmarked(self.checkpoints)
                logger.info("going on from %s", last)
                return last
            logger.warning("there is no whole checkpoint in %s; training starts from the beginning", self.checkpoints)
        if is_main_process():
            shutil.rmtree(self.checkpoints, ignore_errors=True)
            for old in self.logs.glob("events.out.tfevents.*"):
                old.unlink()
        return None

    def end(self) -> None:
        """Remove the checkpoints, now that the run is saved."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def _last(self) -> Path | None:
        last = last_checkpoint(self.checkpoints)
        if last is None:
            last = next(iter(whole_checkpoints(self.checkpoints)), None)
            if last is not None and not self._allow_changes:
                raise UserError(
                    "The best checkpoint of this training is damaged or missing",
                    where=str(self.checkpoints),
                    next_step=f"put it back, or go on from {last.name} without it by {ALLOW}",
                )
        return last

    def _require_same(self, checkpoint: Path) -> None:
        try:
            before = json.loads((checkpoint / IDENTITY).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = None
        if not isinstance(before, dict):
            raise UserError(
                f"The checkpoint has no {IDENTITY}, which says what training it is of",
                where=str(checkpoint),
                next_step="train without --resume",
            )
        changed = changed_keys(before, self.identity)
        if not changed:
            return
        words = "; ".join(f"{key} was {_shown(old)}, is {_shown(new)}" for key, (old, new) in changed.items())
        fixed = [key for key in changed if not may_change(key)]
        if fixed or not self._allow_changes:
            raise UserError(
                "The checkpoints are of another configuration, of other training studies or of another number of "
                f"processes: {words}",
                where=str(self.checkpoints),
                next_step=f"change {', '.join(fixed)} back, or train without --resume"
                if fixed
                else f"change it back, go on with the new values by {ALLOW}, or train without --resume",
            )
        logger.warning("going on with changed settings: %s", words)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= 80 else text[:77] + "..."
