"""Where an unfinished training keeps its checkpoints and its logs."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from llmrg.artefacts import write_text
from llmrg.config import to_mapping
from llmrg.errors import UserError
from llmrg.training.checkpoints import last_checkpoint
from llmrg.training.processes import is_main_process
from llmrg.training.settings import TrainConfig

__all__ = ["TrainingFolder"]

logger = logging.getLogger(__name__)

IDENTITY = "training.json"
_FREE = ("workers", "max_minutes", "logging_steps", "tensorboard", "validation_batch_size")
"""Settings of the loop that may change between a stopped training and its continuation."""


class TrainingFolder:
    """The checkpoints beside a run (``.NAME-training``, removed when the run is saved) and its logs (``logs/NAME``).

    Args:
        config: the training.
        split_hash: of its training studies.
    """

    def __init__(self, config: TrainConfig, *, split_hash: str) -> None:
        self.checkpoints = config.out.parent / f".{config.out.name}-training"
        self.logs = config.out.parent / "logs" / config.out.name
        self._identity = _identity(config, split_hash)

    def begin(self, *, resume: bool) -> Path | None:
        """Make the folder ready; without ``resume`` what an earlier, unfinished training left is removed.

        Args:
            resume: go on from the last whole checkpoint.

        Returns:
            That checkpoint, if there is one.

        Raises:
            UserError: the checkpoints are of another configuration or of other studies.
        """
        identity = self.checkpoints / IDENTITY
        if resume:
            last = last_checkpoint(self.checkpoints)
            if last is not None:
                self._require_same(identity)
                return last
            logger.warning("there is no whole checkpoint in %s; training starts from the beginning", self.checkpoints)
        if is_main_process():
            shutil.rmtree(self.checkpoints, ignore_errors=True)
            for old in self.logs.glob("events.out.tfevents.*"):
                old.unlink()
            write_text(identity, json.dumps(self._identity, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
        return None

    def end(self) -> None:
        """Remove the checkpoints, now that the run is saved."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def _require_same(self, identity: Path) -> None:
        try:
            same = json.loads(identity.read_text(encoding="utf-8")) == json.loads(json.dumps(self._identity))
        except (OSError, ValueError):
            same = False
        if not same:
            raise UserError(
                "The checkpoints are of another configuration or of other training studies",
                where=str(self.checkpoints),
                next_step="resume with the configuration they were made with, or train without --resume",
            )


def _identity(config: TrainConfig, split_hash: str) -> dict[str, Any]:
    values = to_mapping(config)
    values["training"] = {name: value for name, value in values["training"].items() if name not in _FREE}
    return {"configuration": values, "split_hash": split_hash}
