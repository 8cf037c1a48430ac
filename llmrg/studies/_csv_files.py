"""CSV files read with clear messages, through Arrow: columns of text, of which nothing is lost silently."""

from __future__ import annotations

import csv
import logging
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import csv as arrow_csv

from llmrg.errors import UserError
from llmrg.studies._arrow_file import ArrowFile, ArrowRows
from llmrg.studies._text_files import check_encoding, open_bytes, open_text

logger = logging.getLogger(__name__)
BLOCK = 1 << 20
"""Bytes of text that Arrow reads at once; it reads many blocks ahead."""


def read_csv(path: Path, *, columns: Iterable[str] | None = None, required: Iterable[str] = ()) -> pa.Table:
    """Read a CSV file into one table; see :func:`read_csv_rows`."""
    rows, schema = read_csv_rows(path, columns=columns, required=required)
    return rows.table(schema)


def read_csv_rows(
    path: Path, *, columns: Iterable[str] | None = None, required: Iterable[str] = ()
) -> tuple[ArrowRows, pa.Schema]:
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
    names = _check_rows(path)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"The column {twice[0]!r} stands twice in the header", where=str(path))
    require_columns(names, required, where=str(path))
    # All columns as text: no type is guessed.
    convert = arrow_csv.ConvertOptions(
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        null_values=["", "nan", "NaN", "NULL", "null"],
        column_types=dict.fromkeys(names, pa.string()),
    )
    if columns is not None:
        wanted = set(columns)
        convert.include_columns = [name for name in names if name in wanted]
    try:
        try:
            return _stored(path, convert, block=BLOCK)
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error):
                raise
            return _stored(path, convert, block=64 * BLOCK)  # a row is longer than a block
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        # Arrow quotes the row, which may hold report text: its words are not passed on.
        counts = re.search(r"Expected (\d+) columns, got (\d+)", str(error))
        raise _broken(path, f"a row has {counts.group(2)} columns" if counts else "a row cannot be read") from None
    except OSError as error:
        raise _broken(path, "it cannot be unpacked") from error


def _stored(path: Path, convert: arrow_csv.ConvertOptions, *, block: int) -> tuple[ArrowRows, pa.Schema]:
    with (
        pa.input_stream(str(path)) as stream,  # unpacks what ends in .gz
        arrow_csv.open_csv(
            stream,
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=convert,
            read_options=arrow_csv.ReadOptions(block_size=block, use_threads=False),
        ) as reader,
    ):
        file = ArrowFile(reader.schema, memory=4 * BLOCK)
        try:
            for batch in reader:
                file.write(batch)
            return file.finish(), reader.schema
        finally:
            file.abandon()


def _check_rows(path: Path) -> list[str]:
    """Go through all rows as strictly as Arrow does not (it closes a forgotten quotation mark itself).

    Returns:
        The names of the columns.
    """
    with open_text(path) as file:
        reader = csv.reader(file, strict=True)
        names: list[str] = []
        try:
            for number, row in enumerate(reader, start=1):
                if not row:
                    continue
                if not names:
                    names = row
                elif len(row) != len(names):
                    raise _broken(path, f"row {number} has {len(row)} columns, the header {len(names)}")
        except csv.Error:
            raise _broken(
                path,
                f"a quotation mark is not closed, or stands within a quoted field, before line {reader.line_num + 1}",
            ) from None
    if not names:
        raise UserError("The CSV file is empty", where=str(path), next_step="download or export it again")
    if not _ends_with_line_break(path):
        logger.warning("%s does not end with a line break: if it was cut short, its last row is not whole", path.name)
    return names


def _ends_with_line_break(path: Path) -> bool:
    last = b""
    with open_bytes(path) as file:
        if path.suffix.lower() != ".gz":
            file.seek(-1, os.SEEK_END)
        while chunk := file.read(1 << 20):
            last = chunk[-1:]
    return last in (b"\n", b"\r")


def _broken(path: Path, what: str) -> UserError:
    return UserError(
        f"The CSV file is broken: {what}",
        where=str(path),
        next_step="export it again, with fields that hold line breaks in quotes and quotation marks doubled",
    )


def require_columns(present: Sequence[str], needed: Iterable[str], *, where: str) -> None:
    """Refuse a table that lacks a column, naming the most similar one it has.

    Raises:
        UserError: a column is missing.
    """
    for column in needed:
        if column in present:
            continue
        other = next((mark for mark in ("\t", ";", "|") if len(present) == 1 and mark in present[0]), None)
        if other:
            raise UserError(
                f"The table has one column only: its fields are separated by {other!r}, not by commas",
                where=where,
                next_step="export it again as CSV with commas",
            )
        raise UserError(f"The table has no column {column!r}", where=where, allowed=present, got=column)
