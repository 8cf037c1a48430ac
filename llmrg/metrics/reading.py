"""Report files: JSON Lines, JSON or CSV with an id and a report for every study; what does not fit is an error."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmrg.errors import UserError

__all__ = ["PREDICTION_FIELDS", "REFERENCE_FIELDS", "ReportFile", "read_reports"]

PREDICTION_FIELDS = ("report", "model_prediction", "prediction")
"""Names that a generated report may have, the first one found counts; the second is ReXrank's."""

REFERENCE_FIELDS = ("report", "reference")
"""Likewise for a reference."""

_ID_FIELDS = ("id", "study_id")


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


def read_reports(path: str | Path, *, fields: Sequence[str] = ("report",), split: str = "test") -> ReportFile:
    """Read a file of predictions or references.

    JSON Lines, unless the name ends in ``.json`` (a list of objects; an object of study id to report or to an object,
    as ReXrank has it; or an object of splits to lists, as R2Gen's ``annotation.json``) or ``.csv`` (with a line of
    column names). Every object has ``id`` (or ``study_id``, or
    its key) and one of ``fields``, perhaps ``patient_id`` (in every object or in none) and ``comparison`` (the
    comparison section of the original report); other keys are ignored. Empty lines are skipped, empty reports kept; a
    byte-order mark and either kind of line end are fine.

    Args:
        path: the file.
        fields: names that the report may have; the first one found counts.
        split: which one is read of a file that holds several.

    Raises:
        UserError: the file cannot be read, holds no report, or an entry is broken, repeats an id or lacks a value.
    """
    path = Path(path)
    try:
        # In bytes, because reading text would change line ends inside CSV fields.
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("The reports cannot be read", where=str(path), next_step="give a JSON Lines file") from error
    reports: dict[str, str] = {}
    patients: dict[str, str] = {}
    comparisons: dict[str, str] = {}
    for where, values in _entries(path, text, fields, split):
        id_, report = _text(values, _ID_FIELDS, where), _text(values, fields, where)
        if not id_.strip():
            raise UserError("The id is empty", where=where)
        if id_ in reports:
            raise UserError(f"The id {id_!r} occurs twice", where=where, next_step="keep one entry for each study")
        reports[id_] = report
        if values.get("patient_id") not in (None, ""):
            patients[id_] = str(values["patient_id"])
        if isinstance(values.get("comparison"), str):
            comparisons[id_] = values["comparison"]
    if not reports:
        raise UserError("The file holds no reports", where=str(path))
    if patients and len(patients) != len(reports):
        lacking = next(id_ for id_ in reports if id_ not in patients)
        raise UserError(
            f"{len(reports) - len(patients)} entries lack a patient_id (first: id {lacking!r})",
            where=str(path),
            next_step="name the patient of every study or of none",
        )
    return ReportFile(path=path, reports=reports, patients=patients or None, comparisons=comparisons)


def _text(values: Mapping[str, Any], fields: Sequence[str], where: str) -> str:
    field = next((field for field in fields if field in values), None)
    if field is None:
        raise UserError(f"This entry lacks {fields[0]!r}", where=where, allowed=fields)
    value = values[field]
    if not isinstance(value, str):
        raise UserError(f"The value of {field!r} is no text", where=where)
    return value


def _entries(path: Path, text: str, fields: Sequence[str], split: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give each entry with its place in the file."""
    kind = path.suffix.lower()
    if kind == ".csv":
        yield from _csv_rows(path, text)
    elif kind == ".json":
        whole = _parse(text, str(path))
        if isinstance(whole, Mapping) and whole and all(isinstance(value, list) for value in whole.values()):
            if split not in whole:
                raise UserError(f"The file has no split {split!r}", where=str(path), allowed=whole, got=split)
            whole = whole[split]
        if isinstance(whole, Mapping):
            for key, value in whole.items():
                entry = {fields[0]: value} if isinstance(value, str) else value
                yield f"{path}, key {key!r}", {**_object(entry, f"{path}, key {key!r}"), "id": key}
        elif isinstance(whole, list):
            for number, value in enumerate(whole, start=1):
                yield f"{path}, entry {number}", _object(value, f"{path}, entry {number}")
        else:
            raise UserError("A JSON file of reports holds a list or an object", where=str(path))
    else:
        for number, line in enumerate(text.split("\n"), start=1):  # splitlines would cut at U+2028 inside a report
            if line.strip():
                where = f"{path}, line {number}"
                yield where, _object(_parse(line, where), where)


def _csv_rows(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    number = 1
    try:
        for row in reader:
            number = reader.line_num
            if None in row:
                raise UserError("This line has more values than there are columns", where=f"{path}, line {number}")
            yield f"{path}, line {number}", row
    except csv.Error as error:
        raise UserError(f"This line is not CSV ({error})", where=f"{path}, line {number + 1}") from error


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        place = where if error.lineno == 1 else f"{where}, line {error.lineno}"
        what = "This line is not JSON" if "\n" not in text.strip() else "This file is not JSON"
        raise UserError(what, where=place) from error
    except (ValueError, RecursionError) as error:
        raise UserError("This is not JSON that can be read", where=where) from error
    except _RepeatedKeyError as error:
        raise UserError(f"The key {error.key!r} occurs twice in one object", where=where) from error


class _RepeatedKeyError(Exception):
    """An object names one key twice, of which JSON readers would keep the last."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(key)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _RepeatedKeyError(key)
        found[key] = value
    return found


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError("This line is no JSON object", where=where)
    return value
