"""Checkpoints: a marker says that one is whole; resuming takes the last whole one."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from llmrg.artefacts import COMPLETE, write_text

__all__ = ["CompletionMarker", "last_checkpoint"]

logger = logging.getLogger(__name__)
_NAME = re.compile(r"^checkpoint-(\d+)$")


class CompletionMarker(TrainerCallback):
    """Writes the completion marker into a checkpoint when the Trainer has finished saving it."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Mark the checkpoint of this step."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero and folder.is_dir():
            write_text(folder / COMPLETE, "")


def last_checkpoint(folder: Path) -> Path | None:
    """Return the whole checkpoint with the highest step; partial ones are named in the log and passed over."""
    found: list[tuple[int, Path]] = []
    if folder.is_dir():
        for path in folder.iterdir():
            match = _NAME.match(path.name)
            if match and path.is_dir():
                if (path / COMPLETE).is_file():
                    found.append((int(match.group(1)), path))
                else:
                    logger.warning("%s is incomplete and is ignored", path)
    return max(found)[1] if found else None
