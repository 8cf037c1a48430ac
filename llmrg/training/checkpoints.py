"""Checkpoints: a marker with the files' hashes says that one is whole; resuming takes the last whole one."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from llmrg.artefacts import COMPLETE, file_hash, write_text
from llmrg.training.processes import wait_for_everyone

__all__ = ["CompletionMarker", "EarlyEnd", "is_whole", "last_checkpoint"]

logger = logging.getLogger(__name__)
_NAME = re.compile(r"^checkpoint-(\d+)$")


class CompletionMarker(TrainerCallback):
    """Writes the completion marker into a checkpoint when the Trainer has finished saving it."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Mark the checkpoint of this step, once every process has written its part."""
        wait_for_everyone()
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero and folder.is_dir():
            write_text(folder / COMPLETE, json.dumps(_hashes(folder), indent=1, sort_keys=True) + "\n")


class EarlyEnd(TrainerCallback):
    """Has a training that another callback stops early evaluated and saved, as at its last step."""

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Ask for evaluation and checkpoint if the training ends with this step."""
        if control.should_training_stop and args.eval_strategy != "no":
            control.should_evaluate = control.should_save = True
        return control


def last_checkpoint(folder: Path) -> Path | None:
    """Return the whole checkpoint with the highest step; others are named in the log and passed over."""
    found: list[tuple[int, Path]] = []
    if folder.is_dir():
        for path in folder.iterdir():
            match = _NAME.match(path.name)
            if match and path.is_dir():
                found.append((int(match.group(1)), path))
    for _, path in sorted(found, reverse=True):
        if is_whole(path):
            return path
        logger.warning("%s is incomplete or damaged and is ignored", path)
    return None


def is_whole(checkpoint: Path) -> bool:
    """Tell whether a checkpoint has its marker and every file is as it was when the marker was written."""
    try:
        expected = json.loads((checkpoint / COMPLETE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    files = {name: checkpoint / name for name in expected} if isinstance(expected, dict) else {}
    return bool(files) and all(path.is_file() and file_hash(path) == expected[name] for name, path in files.items())


def _hashes(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != COMPLETE)
    return {path.relative_to(folder).as_posix(): file_hash(path) for path in sorted(files)}
