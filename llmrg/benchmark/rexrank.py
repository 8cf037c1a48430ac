"""ReXrank's JSON: predictions read from it, and a submission written from predictions.

Format: one object, study id to a record of ``image_path``, ``context``, ``section_findings``, ``section_impression``
and, in a submission, ``model_prediction`` (Zhang et al. 2024, https://rexrank.ai). NaN stands for absent sections.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmrg.artefacts import write_text
from llmrg.errors import UserError

__all__ = ["PREDICTION", "is_rexrank", "read_rexrank_predictions", "study_ids", "write_submission"]

PREDICTION = "model_prediction"


def is_rexrank(path: Path) -> bool:
    """Tell whether a predictions file is meant to be ReXrank's JSON: its name ends in ``.json``."""
    return path.suffix.lower() == ".json"


def read_rexrank_predictions(path: Path) -> list[tuple[str, str]]:
    """Read study ids with their ``model_prediction``.

    Raises:
        UserError: unreadable, another form, an id that stands twice, or a study without a prediction.
    """
    records = _read(path)
    found: list[tuple[str, str]] = []
    for key, record in records:
        where = f"{path}, study {key!r}"
        text = record.get(PREDICTION) if isinstance(record, Mapping) else None
        if not isinstance(text, str):
            raise UserError(f"A study of a ReXrank file needs the text {PREDICTION!r}", where=where)
        found.append((key, text))
    return found


def study_ids(path: Path) -> list[str]:
    """Return the ids of the studies of a ReXrank file, in order.

    Raises:
        UserError: unreadable, or another form.
    """
    return [key for key, _ in _read(path)]


def write_submission(studies: Path, predictions: Mapping[str, str], out: Path) -> int:
    """Write a ReXrank submission: the studies file with every record's ``model_prediction``.

    Args:
        studies: ReXrank's file of studies, as their ``inference.py`` receives it.
        predictions: report by study id; exactly the file's studies.
        out: the JSON file to write.

    Returns:
        How many studies it holds.

    Raises:
        UserError: unreadable, or ids that are missing from the predictions or unknown to the file.
    """
    records = _read(studies)
    ids = {key for key, _ in records}
    missing, unknown = sorted(ids - predictions.keys()), sorted(predictions.keys() - ids)
    for what, names in (("studies have no prediction", missing), ("predictions are of no study", unknown)):
        if names:
            raise UserError(
                f"{len(names)} {what} (first: {names[0]!r})",
                where=str(studies),
                next_step="generate for exactly the studies of this file (format: rexrank, keep_without_report: true)",
            )
    for key, record in records:
        if not isinstance(record, Mapping):
            raise UserError("A study of a ReXrank file must be an object", where=f"{studies}, study {key!r}")
    whole = {key: {**_without_nan(record), PREDICTION: predictions[key]} for key, record in records}
    write_text(out, json.dumps(whole, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    return len(whole)


def _without_nan(value: Any) -> Any:
    """NaN is no JSON: strict readers stop at it, so absent sections become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    return [_without_nan(item) for item in value] if isinstance(value, list) else value


def _read(path: Path) -> list[tuple[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        whole = json.loads(text, object_pairs_hook=_Pairs)
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise UserError("The ReXrank file cannot be read", where=str(path)) from error
    except ValueError as error:
        raise UserError("The ReXrank file is not valid JSON", where=str(path)) from error
    if not isinstance(whole, _Pairs) or not whole.pairs:
        raise UserError(
            "A ReXrank file maps study ids to studies",
            where=str(path),
            next_step="predictions in lines of JSON have a name that ends in .jsonl",
        )
    seen: set[str] = set()
    for key, _ in whole.pairs:
        if key in seen:
            raise UserError(f"The study {key!r} stands twice in the ReXrank file", where=str(path))
        seen.add(key)
    return [(key, _plain(value)) for key, value in whole.pairs]


class _Pairs:
    """An object as its pairs, so that a key that stands twice is seen."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _plain(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return {key: _plain(item) for key, item in value.pairs}
    return [_plain(item) for item in value] if isinstance(value, list) else value
