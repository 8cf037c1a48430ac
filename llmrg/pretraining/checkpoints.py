"""Checkpoints on disk: a marker with the files' hashes says that one is whole; anything else is ignored.

A checkpoint is written in place and marked last, and unmarked first when it is removed, so that a process which is
killed at any moment leaves whole checkpoints and remains that nobody reads.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llmrg.artefacts import COMPLETE, file_hash, write_text

__all__ = [
    "IDENTITY",
    "best_of",
    "checkpoint_path",
    "checkpoints_in",
    "discard",
    "is_marked",
    "is_whole",
    "last_checkpoint",
    "mark",
    "matching_checkpoint",
    "remove_unmarked",
    "rotate",
    "whole_checkpoints",
]

logger = logging.getLogger(__name__)
IDENTITY = "training.json"
"""File of a checkpoint that says what training it is of."""
STATE = "trainer_state.json"
_NAME = re.compile(r"^checkpoint-(\d+)$")


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies (transformers' name)."""
    return folder / f"checkpoint-{step}"


def checkpoints_in(folder: Path) -> list[tuple[int, Path]]:
    """Steps and paths of everything that is named like a checkpoint, in the order of steps."""
    if not folder.is_dir():
        return []
    matches = ((_NAME.match(path.name), path) for path in folder.iterdir())
    return sorted((int(match.group(1)), path) for match, path in matches if match and path.is_dir())


def mark(checkpoint: Path) -> None:
    """Flush every file of a checkpoint to disk and write the marker with their hashes."""
    hashes = {}
    for path in _files(checkpoint):
        hashes[path.relative_to(checkpoint).as_posix()] = file_hash(path)
        _flush(path)
    for folder in (checkpoint, *(path for path in checkpoint.rglob("*") if path.is_dir())):
        _flush(folder)
    _flush(checkpoint.parent)
    write_text(checkpoint / COMPLETE, json.dumps(hashes, indent=1, sort_keys=True) + "\n")
    _flush(checkpoint)


def is_marked(checkpoint: Path) -> bool:
    """Tell whether a checkpoint was written to its end (its files are not looked at)."""
    return (checkpoint / COMPLETE).is_file()


def is_whole(checkpoint: Path) -> bool:
    """Tell whether a checkpoint holds exactly the files of its marker, each as it was when the marker was written."""
    try:
        expected = json.loads((checkpoint / COMPLETE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(expected, dict) or not expected:
        return False
    found = {path.relative_to(checkpoint).as_posix(): path for path in _files(checkpoint)}
    return found.keys() == expected.keys() and all(file_hash(path) == expected[name] for name, path in found.items())


def best_of(checkpoint: Path) -> int | None:
    """The step of the checkpoint that was the best so far when this one was written, if there was one."""
    try:
        step = json.loads((checkpoint / STATE).read_text(encoding="utf-8")).get("best_global_step")
    except (OSError, ValueError, AttributeError):
        return None
    return int(step) if step else None


def whole_checkpoints(folder: Path) -> Iterable[Path]:
    """Yield the whole checkpoints, the last one first; others are named in the log and passed over."""
    for _, path in reversed(checkpoints_in(folder)):
        if is_whole(path):
            yield path
        else:
            logger.warning("%s is incomplete or damaged and is ignored", path)


def last_checkpoint(folder: Path) -> Path | None:
    """Return the last whole checkpoint whose best one is whole too."""
    for path in whole_checkpoints(folder):
        best = best_of(path)
        if best is None or checkpoint_path(folder, best) == path or is_whole(checkpoint_path(folder, best)):
            return path
        logger.warning("%s is passed over: the best checkpoint before it, of step %d, is not whole", path, best)
    return None


def matching_checkpoint(folder: Path, identity: Mapping[str, Any]) -> Path | None:
    """Return the last whole checkpoint if it is of this training, as its :data:`IDENTITY` says."""
    last = last_checkpoint(folder)
    if last is None:
        return None
    try:
        same = json.loads((last / IDENTITY).read_text(encoding="utf-8")) == identity
    except (OSError, ValueError):
        same = False
    if not same:
        logger.warning("the checkpoints in %s are of another configuration or of other studies", folder)
    return last if same else None


def rotate(folder: Path, keep: int) -> None:
    """Remove what is neither the best checkpoint, nor one of the last others, nor the best one that these know.

    Every checkpoint that stays can therefore be resumed from. Call it after the last checkpoint was marked.

    Args:
        folder: holds the checkpoints.
        keep: how many are kept beside the best.
    """
    marked = [(step, path) for step, path in checkpoints_in(folder) if is_marked(path)]
    if not marked:
        return
    best = best_of(marked[-1][1])
    recent = [(step, path) for step, path in marked if step != best][-keep:]
    kept = {marked[-1][0], best} | {step for step, _ in recent} | {best_of(path) for _, path in recent}
    for step, path in checkpoints_in(folder):
        if step not in kept:
            discard(path)


def remove_unmarked(folder: Path) -> None:
    """Remove the remains of checkpoints that were being written or removed when their process ended."""
    for _, path in checkpoints_in(folder):
        if not is_marked(path):
            discard(path)


def discard(checkpoint: Path) -> None:
    """Remove a checkpoint, its marker first."""
    (checkpoint / COMPLETE).unlink(missing_ok=True)
    if checkpoint.is_dir():
        _flush(checkpoint)
    shutil.rmtree(checkpoint, ignore_errors=True)


def _files(checkpoint: Path) -> list[Path]:
    files = (path for path in checkpoint.rglob("*") if not path.is_dir())
    return sorted(path for path in files if path != checkpoint / COMPLETE)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
