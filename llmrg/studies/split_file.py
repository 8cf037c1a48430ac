"""Split files: which split each study belongs to, as ``llmrg data split`` writes them and ``split_file`` reads them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llmrg.artefacts import write_text
from llmrg.errors import UserError
from llmrg.studies._csv_files import read_csv
from llmrg.studies._text_files import identifier_of, read_json, require_file, require_keys, text_of

__all__ = ["COLUMNS", "read_split_file", "split_text", "write_split_file"]

COLUMNS = ("study_id", "patient_id", "split")


def read_split_file(path: Path) -> Mapping[str, str]:
    """Read a split file.

    Args:
        path: CSV with the columns ``study_id`` and ``split``, or JSON: a list of objects with these keys, alone or
            under ``studies``. What else is there is not read.

    Returns:
        Study id to split.

    Raises:
        UserError: missing or broken file, a study that stands in it twice, or one without a split.
    """
    require_file(path, what="split file", key="split_file")
    splits: dict[str, str] = {}
    for number, (study, split) in enumerate(_rows(path), start=1):
        if not study or not split:
            raise UserError(f"Record {number} of the split file lacks study_id or split", where=str(path))
        if splits.setdefault(study, split) != split:
            raise UserError(f"The study {study!r} stands in two splits", where=str(path))
    return splits


def _rows(path: Path) -> Iterable[tuple[str, str]]:
    if path.suffix.lower() != ".json":
        table = read_csv(path, columns=("study_id", "split"), required=("study_id", "split"))
        columns = (table.column("study_id").to_pylist(), table.column("split").to_pylist())
        return ((text_of(study), text_of(split)) for study, split in zip(*columns, strict=True))
    content = read_json(path)
    records = content.get("studies") if isinstance(content, dict) else content
    if not isinstance(records, list):
        raise UserError("The split file must hold a list of studies", where=str(path))
    rows = []
    for number, record in enumerate(records, start=1):
        require_keys(record, ("study_id", "split"), where=f"{path}, record {number}")
        try:
            rows.append((identifier_of(record["study_id"]), text_of(record["split"])))
        except ValueError as error:
            raise UserError(f"A study has no usable id: {error}", where=f"{path}, record {number}") from None
    return rows


def split_text(rows: Iterable[tuple[str, str, str]], *, kind: str, facts: Mapping[str, Any]) -> str:
    """Return a split file's content.

    Args:
        rows: (study id, patient id, split), in the order of the file.
        kind: ``json``, which also holds ``facts``, or ``csv``.
        facts: how the split was made.
    """
    if kind == "json":
        studies = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        return json.dumps({**facts, "studies": studies}, ensure_ascii=False, indent=1) + "\n"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def write_split_file(path: Path, text: str, *, replace: bool = False) -> None:
    """Write a split file whole or not at all.

    Args:
        path: the file.
        text: its content.
        replace: another split in this file may be replaced.

    Raises:
        UserError: there is a file of this name with other content, or it cannot be written.
    """
    if path.exists() and not replace:
        if path.is_file() and path.read_bytes() == text.encode("utf-8"):
            return
        raise UserError(
            "There is a file of this name with another content; trainings may rest on that split",
            where=str(path),
            next_step="choose another name, or replace it with --replace",
        )
    write_text(path, text)
