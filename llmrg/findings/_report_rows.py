"""Tables and JSON Lines of reports, read row by row and written again with more columns."""

from __future__ import annotations

import codecs
import csv
import io
import json
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Protocol

from llmrg.errors import UserError

__all__ = ["Row", "RowFile", "detect_encoding", "open_rows"]

_BLOCK = 1 << 20
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_OTHER_MARKS = ("\t", ";", "|", ",")


class Row(Protocol):
    """One row as read; it is written again as it was, with more values."""

    def text(self) -> str:
        """Return the report, empty where the row has none."""
        ...


class RowFile(Protocol):
    """A file of rows."""

    def rows(self) -> Iterator[Row]:
        """Read the file from its start."""
        ...

    def check_new(self, names: Sequence[str]) -> None:
        """Refuse names that columns of the file have already."""
        ...

    def start(self, out: IO[str], names: Sequence[str]) -> None:
        """Write what stands before the first row."""
        ...

    def write(self, out: IO[str], row: Row, values: Mapping[str, int | str | None]) -> None:
        """Write a row with more values."""
        ...


def open_rows(path: Path, *, column: str, encoding: str) -> RowFile:
    """Open a file of reports by its ending: ``.csv``, ``.tsv`` or ``.jsonl``.

    Raises:
        UserError: another ending; a table without the column.
    """
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        return _JsonLines(path, column=column, encoding=encoding)
    if suffix in _DELIMITERS:
        return _Table(path, column=column, encoding=encoding, delimiter=_DELIMITERS[suffix])
    raise UserError(
        "Reports are read from tables and JSON Lines",
        where=str(path),
        allowed=(*_DELIMITERS, ".jsonl"),
        got=suffix or path.name,
    )


def detect_encoding(path: Path) -> str:
    """Return ``utf-8``, ``utf-8-sig`` or ``gb18030``, whichever the whole file is.

    Raises:
        UserError: it is none of them, or not there.
    """
    if not path.is_file():
        folder = path.parent
        beside = sorted(p.name for p in folder.iterdir() if p.suffix == path.suffix)[:10] if folder.is_dir() else []
        raise UserError("The file of reports does not exist", where=str(path), allowed=beside or None, got=path.name)
    try:
        with path.open("rb") as file:
            start = file.read(3)
    except OSError as error:
        raise UserError(f"The file cannot be read ({error.strerror})", where=str(path)) from None
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError("The file is in UTF-16", where=str(path), next_step="save it again as UTF-8")
    if start == codecs.BOM_UTF8:
        return "utf-8-sig"
    for encoding in ("utf-8", "gb18030"):
        if _decodes(path, encoding):
            return encoding
    raise UserError("The file is neither UTF-8 nor GB18030", where=str(path), next_step="save it again as UTF-8")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


class _TableRow:
    def __init__(self, values: list[str], index: int) -> None:
        self.values = values
        self._index = index

    def text(self) -> str:
        return self.values[self._index]


class _Table:
    def __init__(self, path: Path, *, column: str, encoding: str, delimiter: str) -> None:
        self._path = path
        self._encoding = encoding
        self._delimiter = delimiter
        with path.open(encoding=encoding, newline="") as file:
            self._names = next((row for row in self._records(file) if row), [])
            self._line_end = "\r\n" if _ends_in_both(path) else "\n"
        if not self._names:
            raise UserError("The table is empty", where=str(path))
        self._index = self._find(column)

    def _find(self, column: str) -> int:
        count = self._names.count(column)
        if count == 1:
            return self._names.index(column)
        if count > 1:
            raise UserError(f"The column {column!r} stands twice in the header", where=str(self._path))
        mark = next((mark for mark in _OTHER_MARKS if len(self._names) == 1 and mark in self._names[0]), None)
        if mark:
            raise UserError(
                f"The table has one column only: its fields seem to be separated by {mark!r}",
                where=str(self._path),
                next_step=f"export it again with {self._delimiter!r} between fields, or name the file .csv or .tsv",
            )
        raise UserError(f"The table has no column {column!r}", where=str(self._path), allowed=self._names, got=column)

    def _records(self, file: IO[str]) -> Generator[list[str], None, None]:
        limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        reader = csv.reader(file, delimiter=self._delimiter, strict=True)
        try:
            yield from reader
        except csv.Error:
            raise UserError(
                "The table is broken: a quotation mark is not closed, or stands within a quoted field, "
                f"before line {reader.line_num + 1}",
                where=str(self._path),
                next_step="export it again, with fields that hold line breaks in quotes and quotation marks doubled",
            ) from None
        finally:
            csv.field_size_limit(limit)

    def rows(self) -> Iterator[_TableRow]:
        header = True
        with (
            self._path.open(encoding=self._encoding, newline="") as file,
            closing(self._records(file)) as records,
        ):
            for number, values in enumerate(records, start=1):
                if not values:
                    continue
                if header:
                    header = False
                    continue
                if len(values) != len(self._names):
                    raise UserError(
                        f"Row {number} has {len(values)} columns, the header {len(self._names)}",
                        where=str(self._path),
                        next_step="export the table again, with quotes around fields that hold the separator",
                    )
                yield _TableRow(values, self._index)

    def check_new(self, names: Sequence[str]) -> None:
        _refuse_taken(self._path, [name for name in names if name in self._names])

    def start(self, out: IO[str], names: Sequence[str]) -> None:
        out.write(self._line([*self._names, *names]))

    def write(self, out: IO[str], row: Row, values: Mapping[str, int | str | None]) -> None:
        if not isinstance(row, _TableRow):
            raise TypeError("a row of another file")
        out.write(self._line([*row.values, *("" if value is None else str(value) for value in values.values())]))

    def _line(self, values: list[str]) -> str:
        # The writer quotes what holds a character of the line's end: both, for a lone one in a value ends a row too.
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=self._delimiter, lineterminator="\r\n").writerow(values)
        return buffer.getvalue()[:-2] + self._line_end


class _JsonRow:
    def __init__(self, line: str, report: object, empty: bool) -> None:
        self.line = line
        self.empty = empty
        self._report = report

    def text(self) -> str:
        return "" if self._report is None else str(self._report)


class _JsonLines:
    def __init__(self, path: Path, *, column: str, encoding: str) -> None:
        self._path = path
        self._column = column
        self._encoding = encoding
        self._new: frozenset[str] = frozenset()

    def rows(self) -> Iterator[_JsonRow]:
        names: dict[str, None] = {}
        seen = False
        with self._path.open(encoding=self._encoding, newline="\n") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                value = self._object(line, number)
                taken = [name for name in value if name in self._new]
                _refuse_taken(self._path, taken)
                seen = seen or self._column in value
                if not seen:
                    names.update(dict.fromkeys(value))
                report = value.get(self._column)
                if isinstance(report, dict | list):
                    raise UserError(f"Line {number}: {self._column!r} is no text", where=str(self._path))
                yield _JsonRow(line.strip(), report, not value)
        if names and not seen:
            raise UserError(
                f"No line has a field {self._column!r}", where=str(self._path), allowed=names, got=self._column
            )

    def _object(self, line: str, number: int) -> dict[str, object]:
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise UserError(f"Line {number} is no JSON object", where=str(self._path))
        return value

    def check_new(self, names: Sequence[str]) -> None:
        self._new = frozenset(names)

    def start(self, out: IO[str], names: Sequence[str]) -> None:
        pass

    def write(self, out: IO[str], row: Row, values: Mapping[str, int | str | None]) -> None:
        if not isinstance(row, _JsonRow):
            raise TypeError("a row of another file")
        more = json.dumps(dict(values), ensure_ascii=False)[1:]
        out.write(row.line[:-1].rstrip() + ("" if row.empty else ", ") + more + "\n")


def _ends_in_both(path: Path) -> bool:
    with path.open("rb") as file:
        return file.readline().endswith(b"\r\n")


def _refuse_taken(path: Path, taken: Sequence[str]) -> None:
    if taken:
        raise UserError(
            f"The file has columns of the same name already: {', '.join(taken)}",
            where=str(path),
            next_step="drop or rename them, or give the new columns a --prefix",
        )
