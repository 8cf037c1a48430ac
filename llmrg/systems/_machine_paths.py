"""Take what names a machine or its users out of configurations: absolute paths, and where data lay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NOT_EXPORTED = "not-exported"
"""Stands where a path of the training's machine was."""

_ABSOLUTE = re.compile(r"^(?:/|~|\\\\|[A-Za-z]:[\\/]|file:)")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_PATH_KEYS = frozenset(
    ("root", "annotation", "image_roots", "labels", "comparison_split", "out", "artefacts", "teacher", "checkpoint")
)


def without_paths(values: Any, *, key: str = "") -> Any:
    """Return values as YAML or JSON hold them, paths replaced: those that are absolute, and those of data and outputs.

    Args:
        values: mapping, list or scalar.
        key: under which they stand.
    """
    if isinstance(values, Mapping):
        return {name: without_paths(value, key=str(name)) for name, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [without_paths(value, key=key) for value in values]
    if isinstance(values, str) and key == "path":
        return model_name(values)
    if isinstance(values, (str, Path)) and (key in _PATH_KEYS or _ABSOLUTE.match(str(values))):
        return NOT_EXPORTED
    return values


def model_name(path: str) -> str:
    """Name a language model without its place: a hub name stays, of a directory the last part."""
    local = _ABSOLUTE.match(path) or not _HUB_NAME.fullmatch(path) or Path(path).is_dir()
    return Path(path.rstrip("/\\")).name if local else path
