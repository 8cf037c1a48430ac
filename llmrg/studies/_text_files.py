"""Annotation files read with clear messages: encodings, JSON, JSON Lines, and the values found in them."""

from __future__ import annotations

import codecs
import difflib
import gzip
import io
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast

from llmrg.errors import UserError, nearest_spelling

MAX_BYTES = 16 << 30
"""Text that an annotation file may hold, unpacked."""


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


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacking one whose name ends in ``.gz``."""
    return cast("IO[bytes]", gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def check_encoding(path: Path) -> None:
    """Refuse a text file that is not UTF-8 (with or without BOM) or holds NUL bytes.

    Raises:
        UserError: names the likely encoding and how to convert the file, or the place of the damage.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    try:
        with open_bytes(path) as file:
            start = file.read(4096)
            utf16 = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            if utf16 or start[:2000].count(0) > len(start[:2000]) // 8 > 0:
                raise _wrong_encoding(path, "UTF-16", 0)
            chunk = start
            while chunk:
                if b"\0" in chunk:
                    raise UserError(
                        f"The file holds a NUL byte (at byte {position + chunk.index(0)}), as broken downloads do",
                        where=str(path),
                        next_step="download or export it again",
                    )
                decoder.decode(chunk)
                position += len(chunk)
                if position > MAX_BYTES:
                    raise UserError(f"The file unpacks to more than {MAX_BYTES >> 30} GiB of text", where=str(path))
                chunk = file.read(1 << 20)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        around = error.object[max(0, error.start - 200) :]
        raise _wrong_encoding(path, _guess(around), position + error.start) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        what = "ends too early" if isinstance(error, EOFError) else "is damaged"
        raise UserError(
            f"The compressed file {what}", where=str(path), next_step="download it again, or unpack it by hand"
        ) from None
    except OSError as error:
        raise UserError(f"The file cannot be read ({error.strerror})", where=str(path)) from None


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
        with open_text(path) as file:
            return json.load(file, object_pairs_hook=_unique)
    except _DuplicateKeyError as error:
        raise UserError(
            f"The key {error.key!r} stands twice in one object of the annotation; only one of them could be read",
            where=str(path),
            next_step="rename one of them, or merge what they hold",
        ) from None
    except json.JSONDecodeError as error:
        raise UserError(
            f"The annotation is not valid JSON ({error.msg} at line {error.lineno}, column {error.colno})",
            where=str(path),
            next_step="download it again, or mend that place",
        ) from None
    except RecursionError:
        raise UserError("The annotation is not valid JSON (nested too deeply)", where=str(path)) from None
    except ValueError:  # a number of more digits than Python turns into an integer
        raise UserError("The annotation is not valid JSON (a number of thousands of digits)", where=str(path)) from None


def open_text(path: Path) -> IO[str]:
    """Open UTF-8 text, with or without BOM, packed (``.gz``) or not; line breaks stay as they are."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="")


class _DuplicateKeyError(Exception):
    def __init__(self, key: str) -> None:
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        raise _DuplicateKeyError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return found


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read one JSON object a line; empty lines are skipped.

    Raises:
        UserError: not UTF-8, or a line that is no JSON object; names the line.
    """
    check_encoding(path)
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line, object_pairs_hook=_unique)
            except _DuplicateKeyError as error:
                raise UserError(f"Line {number} has the key {error.key!r} twice", where=str(path)) from None
            except (ValueError, RecursionError):
                value = None
            if not isinstance(value, dict):
                raise UserError(
                    f"Line {number} is not a JSON object (the file must be JSON Lines: one object a line)",
                    where=str(path),
                )
            yield value


def require_keys(item: Any, keys: Iterable[str], *, where: str, optional: Sequence[str] = ()) -> None:
    """Refuse a record that lacks a key, naming the most similar key it has, or that misspells an optional one.

    Args:
        item: the record.
        keys: keys that it must have.
        where: which record, for messages.
        optional: keys that are read where they are there.

    Raises:
        UserError: the record is no mapping, a key is missing, or a key looks like an optional one that is missing.
    """
    if not isinstance(item, dict):
        raise UserError("A record of the annotation is not a mapping of keys to values", where=where)
    needed = tuple(keys)
    for key in needed:
        if key not in item:
            present = [str(name) for name in item]
            near = nearest_spelling(key, present)
            raise UserError(
                f"The key {key!r} is missing; the record has {', '.join(present[:12]) or 'no keys'}",
                where=where,
                next_step=f"rename {near!r} to {key!r}" if near else f"add the key {key!r}",
            )
    if optional:
        meant = _misspelt(tuple(item), needed, tuple(optional))
        if meant:
            raise UserError(
                f"The key {meant[0]!r} is not read, but looks like {meant[1]!r}, which is",
                where=where,
                next_step=f"rename it to {meant[1]!r}, or to something else",
            )


@lru_cache(maxsize=256)
def _misspelt(present: tuple[str, ...], needed: tuple[str, ...], optional: tuple[str, ...]) -> tuple[str, str] | None:
    """Return (key, optional key that it seems to mean); records of one file mostly have the same keys."""
    strange = [name for name in present if name not in needed and name not in optional]
    for key in optional:
        if key not in present and (near := difflib.get_close_matches(key, strange, n=1, cutoff=0.8)):
            return near[0], key
    return None


def text_of(value: Any) -> str:
    """Return a cell's text without outer white space and carriage returns; null, NaN and the like give nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).replace("\r\n", "\n").replace("\r", "\n").strip()
    return "" if text.lower() in ("nan", "none", "null") else text


def report_text(value: Any) -> str:
    """Return a report of an annotation without outer white space; null and NaN give the empty string.

    Raises:
        ValueError: a number, list or mapping stands in its place.
    """
    if isinstance(value, str) or value is None or (isinstance(value, float) and math.isnan(value)):
        return text_of(value)
    raise ValueError("its report is not text")


def identifier_of(value: Any) -> str:
    """Return an identifier as text: numbers are accepted, true, false, lists and mappings are not.

    Raises:
        ValueError: no identifier.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        raise ValueError("an id must be text or a whole number")
    reason = unwritable_reason(str(value))
    if reason:
        raise ValueError(f"an id {reason}")
    return str(value).strip()


def unwritable_reason(text: str) -> str | None:
    """Tell why a text can neither be stored nor taught, or None where it can."""
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return "holds half of a character (a lone surrogate)"
    return None
