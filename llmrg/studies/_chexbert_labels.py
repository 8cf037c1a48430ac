"""The label files of CheXpert Plus: JSON Lines, one object a film, 1, 0, -1 or null a class."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmrg.errors import UserError
from llmrg.studies._text_files import read_json_lines, require_file, require_keys
from llmrg.studies.settings import DataConfig

FOLDER = "chexbert_labels"
_NORMAL, _DEVICES = "No Finding", "Support Devices"


def study_key(path: str) -> str | None:
    """Return ``patientN/studyM`` of an image path, or None if the path has another form."""
    match = re.search(r"(patient[^/\\]+)[/\\](study[^/\\]+)[/\\][^/\\]+$", path)
    return f"{match.group(1)}/{match.group(2)}" if match else None


def read_labels(config: DataConfig, root: Path) -> dict[str, dict[str, float]]:
    """Return the labels of each study (``patientN/studyM``) for the target sections; empty where there are none.

    Only the labels of the sections that are written are read: those of whole reports tell what stands elsewhere.

    Raises:
        UserError: a configured file is missing, or a line is broken.
    """
    merged: dict[str, dict[str, float]] = {}
    for path in _files(config, root):
        for key, labels in _read_file(path).items():
            merged[key] = _merge(merged[key], labels) if key in merged else labels
    return merged


def _files(config: DataConfig, root: Path) -> list[Path]:
    place = root / (config.labels or FOLDER)
    if place.is_file():
        return [place]
    paths = [place / f"{section}_fixed.json" for section in config.target]
    if config.labels is not None:
        return [require_file(path, what="label file", key="labels") for path in paths]
    return [path for path in paths if path.is_file()]


def _read_file(path: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for number, record in enumerate(read_json_lines(path), start=1):
        where = f"{path}, record {number}"
        require_keys(record, ("path_to_image",), where=where)
        key = study_key(str(record["path_to_image"]))
        labels = {
            name: _value(value, where=where)
            for name, value in record.items()
            if name != "path_to_image" and not _is_null(value)
        }
        if key is not None:
            found.setdefault(key, labels)  # films of one study share its report, hence its labels
    return found


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _value(value: Any, *, where: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value in (1, 0, -1):
        return float(value)
    raise UserError("A label is none of 1, 0, -1 and null", where=where)


def _merge(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """Merge the labels of two sections: positive over uncertain over negative; normal only if both leave it so."""
    rank = {1.0: 2, -1.0: 1, 0.0: 0}
    merged = dict(first)
    for name, value in second.items():
        if name not in merged or rank[value] > rank[merged[name]]:
            merged[name] = value
    if any(value != 0 and name not in (_NORMAL, _DEVICES) for name, value in merged.items()):
        merged.pop(_NORMAL, None)
    return merged
