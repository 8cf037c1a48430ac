"""Annotation files read with clear messages: encodings, JSON, JSON Lines, CSV."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from llmrg.errors import UserError, nearest_spelling


def require_file(path: Path, *, what: str, key: str) -> Path:
    """Return ``path`` if it is a file.

    Raises:
        UserError: it is not; similar files beside it are named.
    """
    if path.is_file():
        return path
    folder = path.parent
    beside = sorted(p.name for p in folder.iterdir() if p.suffix == path.suffix)[:10] if folder.is_dir() else []
    raise UserError(
        f"The {what} does not exist",
        where=str(path),
        allowed=beside or None,
        got=path.name,
        next_step=f"set {key} to the file's name",
    )


def check_encoding(path: Path) -> None:
    """Refuse a text file that is not UTF-8 (with or without BOM).

    Raises:
        UserError: names the likely encoding and how to convert the file.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    with path.open("rb") as file:
        start = file.read(4096)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or start[:2000].count(0) > len(start) // 8 > 0:
            raise _wrong_encoding(path, "UTF-16", 0)
        chunk = start
        try:
            while chunk:
                decoder.decode(chunk)
                position += len(chunk)
                chunk = file.read(1 << 20)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            around = error.object[max(0, error.start - 200) :]
            raise _wrong_encoding(path, _guess(around), position + error.start) from None


def _guess(data: bytes) -> str:
    for length in (len(data), len(data) - 1, len(data) - 2, len(data) - 3):  # a chunk may end within a character
        try:
            text = data[:length].decode("gb18030")
        except UnicodeDecodeError:
            continue
        if sum("\u4e00" <= c <= "\u9fff" for c in text) >= 2:
            return "GBK"
        break
    return "another encoding"


def _wrong_encoding(path: Path, name: str, position: int) -> UserError:
    known = {"GBK": "gb18030", "UTF-16": "utf-16"}.get(name)
    step = f"convert it: iconv -f {known} -t utf-8 FILE > NEW" if known else "save it as UTF-8"
    looks = f"looks like {name}" if known else f"is broken at byte {position}"
    return UserError(f"The file is not UTF-8; it {looks}", where=str(path), next_step=step)


def read_json(path: Path) -> Any:
    """Read a JSON file, with or without BOM.

    Raises:
        UserError: not UTF-8, or broken JSON; names line and column.
    """
    check_encoding(path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            return json.load(file)
    except json.JSONDecodeError as error:
        raise UserError(
            f"The annotation is not valid JSON ({error.msg} at line {error.lineno}, column {error.colno})",
            where=str(path),
            next_step="download it again, or mend that place",
        ) from None
    except RecursionError:
        raise UserError("The annotation is not valid JSON (nested too deeply)", where=str(path)) from None


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read one JSON object a line; empty lines are skipped.

    Raises:
        UserError: not UTF-8, or a line that is no JSON object; names the line.
    """
    check_encoding(path)
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (json.JSONDecodeError, RecursionError):
                value = None
            if not isinstance(value, dict):
                raise UserError(
                    f"Line {number} is not a JSON object (the file must be JSON Lines: one object a line)",
                    where=str(path),
                )
            yield value


def read_csv(path: Path, *, columns: Iterable[str] | None = None, required: Iterable[str] = ()) -> pa.Table:
    """Read a CSV file with a header into strings; values may hold line breaks; ``NaN`` and nothing are null.

    Args:
        path: the file.
        columns: columns to keep, as far as they are there; all by default.
        required: columns that must be there.

    Raises:
        UserError: not UTF-8, empty, a column missing or named twice, or a row of another length; the row
            is named, its text is not.
    """
    check_encoding(path)
    convert = arrow_csv.ConvertOptions(
        strings_can_be_null=True, quoted_strings_can_be_null=True, null_values=["", "nan", "NaN", "NULL", "null"]
    )
    parse = arrow_csv.ParseOptions(newlines_in_values=True)
    try:
        # All columns as text: the first pass learns their names, so that no type is guessed.
        with arrow_csv.open_csv(path, parse_options=parse, read_options=_blocks(1 << 20)) as reader:
            names = reader.schema.names
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise _broken_csv(path, error) from None
    names = [name.removeprefix("\ufeff") for name in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"The column {twice[0]!r} stands twice in the header", where=str(path))
    require_columns(names, required, where=str(path))
    convert.column_types = dict.fromkeys(names, pa.string())
    if columns is not None:
        wanted = set(columns)
        convert.include_columns = [name for name in names if name in wanted]
    try:
        return arrow_csv.read_csv(path, parse_options=parse, convert_options=convert, read_options=_blocks(16 << 20))
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise _broken_csv(path, error) from None


def _blocks(size: int) -> arrow_csv.ReadOptions:
    return arrow_csv.ReadOptions(block_size=size, use_threads=False)


def _broken_csv(path: Path, error: Exception) -> UserError:
    # Arrow quotes the row, which may hold report text: only its counts are passed on.
    text = str(error)
    counts = re.search(r"Expected (\d+) columns, got (\d+)", text)
    row = re.search(r"Row #(\d+)", text)
    if "Empty CSV" in text:
        what = "The CSV file is empty"
    elif counts:
        place = f"row {row.group(1)}" if row else "a row"
        what = f"The CSV file is broken: {place} has {counts.group(2)} columns, the header {counts.group(1)}"
    else:
        what = "The CSV file is broken (an unclosed quotation mark?)"
    return UserError(what, where=str(path), next_step="export it again, with fields that hold line breaks in quotes")


def require_keys(item: Any, keys: Iterable[str], *, where: str) -> None:
    """Refuse a record that lacks a key, naming the most similar key it has.

    Raises:
        UserError: the record is no mapping, or a key is missing.
    """
    if not isinstance(item, dict):
        raise UserError("A record of the annotation is not a mapping of keys to values", where=where)
    for key in keys:
        if key not in item:
            present = [str(name) for name in item]
            near = nearest_spelling(key, present)
            raise UserError(
                f"The key {key!r} is missing; the record has {', '.join(present[:12]) or 'no keys'}",
                where=where,
                next_step=f"rename {near!r} to {key!r}" if near else f"add the key {key!r}",
            )


def require_columns(present: Sequence[str], needed: Iterable[str], *, where: str) -> None:
    """Refuse a table that lacks a column, naming the most similar one it has.

    Raises:
        UserError: a column is missing.
    """
    for column in needed:
        if column not in present:
            raise UserError(f"The table has no column {column!r}", where=where, allowed=present, got=column)


def text_of(value: Any) -> str:
    """Return a cell's text without outer white space; null, NaN and the like give the empty string."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).strip()
    return "" if text.lower() in ("nan", "none", "null") else text


def identifier_of(value: Any) -> str:
    """Return an identifier as text: numbers are accepted, true, false, lists and mappings are not.

    Raises:
        ValueError: no identifier.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        raise ValueError("an id must be text or a whole number")
    return str(value).strip()
