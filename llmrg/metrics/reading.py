"""Report files: JSON Lines with an id and a report in every line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmrg.errors import UserError

__all__ = ["ReportFile", "read_reports"]


@dataclass(frozen=True, kw_only=True)
class ReportFile:
    """Reports as a file holds them.

    Args:
        path: the file.
        reports: text by study id, in the order of the file.
        patients: patient by study id, or None where the file names no patients.
        comparisons: text of the comparison section by study id, for studies that have one.
    """

    path: Path
    reports: Mapping[str, str]
    patients: Mapping[str, str] | None = None
    comparisons: Mapping[str, str]


def read_reports(path: str | Path) -> ReportFile:
    """Read a file of predictions or references.

    Every line is an object with ``id`` and ``report``, perhaps ``patient_id`` (in every line or in none) and
    ``comparison`` (the comparison section of the original report); other keys are ignored. Empty lines are skipped,
    empty reports kept.

    Raises:
        UserError: the file cannot be read, holds no report, or a line is broken, repeats an id or lacks a value.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # splitlines would cut at U+2028 inside a report
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("The reports cannot be read", where=str(path), next_step="give a JSON Lines file") from error
    reports: dict[str, str] = {}
    patients: dict[str, str] = {}
    comparisons: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        values = _parse(line, where)
        id_ = values["id"]
        if id_ in reports:
            raise UserError(f"The id {id_!r} occurs twice", where=where, next_step="keep one line for each study")
        reports[id_] = values["report"]
        if values.get("patient_id") is not None:
            patients[id_] = str(values["patient_id"])
        if isinstance(values.get("comparison"), str):
            comparisons[id_] = values["comparison"]
    if not reports:
        raise UserError("The file holds no reports", where=str(path))
    if patients and len(patients) != len(reports):
        lacking = next(id_ for id_ in reports if id_ not in patients)
        raise UserError(
            f"{len(reports) - len(patients)} lines lack a patient_id (first: id {lacking!r})",
            where=str(path),
            next_step="name the patient in every line or in none",
        )
    return ReportFile(path=path, reports=reports, patients=patients or None, comparisons=comparisons)


def _parse(line: str, where: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError("This line is not JSON", where=where) from error
    if not isinstance(values, dict):
        raise UserError("This line is no JSON object", where=where)
    for key in ("id", "report"):
        if key not in values:
            raise UserError(f"This line lacks {key!r}", where=where, got=key, allowed=("id", "report"))
        if not isinstance(values[key], str):
            raise UserError(f"The value of {key!r} is no text", where=where)
    if not values["id"].strip():
        raise UserError("The id is empty", where=where)
    return values
