"""Search files, byte by byte, for words and identifiers that must not be in them.

Each word is looked for in several spellings (UTF-8, UTF-16, JSON escapes, GB 18030, the letters by which byte-level
tokenizers write bytes), in the files and in what is compressed inside them.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from bz2 import BZ2File
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from lzma import LZMAError, LZMAFile
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from llmrg.errors import UserError

Kind = Literal["text", "vocabulary", "binary"]

__all__ = ["Needles", "scan_directory", "spellings"]

_KEY = 8
"""Bytes of a needle that are compared at once; shorter needles are searched in text files alone."""
_CHUNK = 1 << 24
_MOST_INFLATED = 1 << 30
_TEXT_SUFFIXES = (".json", ".jsonl", ".yaml", ".yml", ".md", ".txt", ".csv", ".jinja", ".html", "")
_NUMBER = re.compile(r"[0-9a-fA-F.-]{1,20}")
_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt")


@dataclass(kw_only=True)
class Needles:
    """What is searched.

    Args:
        words: texts, searched everywhere; those below 8 bytes are left out (chance alone would find them).
        identifiers: names; those below 8 bytes, and in text files those that read like a number (which any figure or
            hash might contain), are searched as quoted strings in text files other than the vocabularies of
            tokenizers.
    """

    words: Collection[str] = ()
    identifiers: Collection[str] = ()
    _long: dict[bytes, list[bytes]] = field(init=False, default_factory=dict)
    _quoted: set[bytes] = field(init=False, default_factory=set)
    _weak: set[bytes] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        for text in {*self.words, *self.identifiers}:
            if len(text.encode("utf-8", "surrogatepass")) < _KEY:
                continue
            for form in spellings(text):
                self._long.setdefault(form[:_KEY], []).append(form)
        for text in self.identifiers:
            weak = _NUMBER.fullmatch(text) is not None
            if weak:
                self._weak |= spellings(text)
            if text and (weak or len(text.encode("utf-8", "surrogatepass")) < _KEY):
                self._quoted |= {json.dumps(text).encode(), json.dumps(text, ensure_ascii=False).encode()}
                self._quoted.add(f"'{text}'".encode("utf-8", "surrogatepass"))
        self._keys: npt.NDArray[np.uint64] = np.unique(
            np.frombuffer(b"".join(self._long), dtype="<u8") if self._long else np.zeros(0, dtype="<u8")
        )
        self._map = np.zeros(1 << 20, dtype=bool)
        self._map[_fold(self._keys)] = True

    def __len__(self) -> int:
        return sum(len(forms) for forms in self._long.values()) + len(self._quoted)

    def within(self, content: bytes, kind: Kind) -> int:
        """Count the needles' places in ``content``, which stands in a file of this kind."""
        count = sum(content.count(form) for form in self._quoted) if kind == "text" else 0
        for offset in range(_KEY):
            usable = (len(content) - offset) // _KEY
            if usable <= 0 or not len(self._keys):
                break
            values = np.frombuffer(content, dtype="<u8", count=usable, offset=offset)
            likely = np.flatnonzero(self._map[_fold(values)])
            likely = likely[np.isin(values[likely], self._keys)]
            for place in (likely * _KEY + offset).tolist():
                forms = self._long[content[place : place + _KEY]]
                count += any(
                    content.startswith(form, place) and (kind == "binary" or form not in self._weak) for form in forms
                )
        return count


def scan_directory(directory: Path, needles: Needles) -> list[str]:
    """Return the files below ``directory`` that hold a needle, by their relative names; never the needle itself.

    Raises:
        UserError: something compressed grows beyond all measure.
    """
    found = []
    for path in sorted(path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()):
        kind: Kind = "text" if path.suffix.lower() in _TEXT_SUFFIXES else "binary"
        kind = "vocabulary" if path.name in _VOCABULARIES else kind
        name = path.relative_to(directory).as_posix()
        in_name = needles.within(name.encode("utf-8", "surrogatepass"), "binary")
        if in_name or any(needles.within(part, kind) for part in _pieces(path)):
            found.append(name)
    return found


def spellings(text: str) -> set[bytes]:
    """Return the byte strings by which a text may stand in a file."""
    utf8 = text.encode("utf-8", "surrogatepass")
    forms = {
        utf8,
        text.encode("utf-16-le", "surrogatepass"),
        text.encode("utf-16-be", "surrogatepass"),
        json.dumps(text)[1:-1].encode(),
        json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass"),
        text.encode("gb18030", "replace"),
    }
    letters = "".join(_BYTE_LETTERS[byte] for byte in utf8)
    forms |= {letters.encode(), json.dumps(letters)[1:-1].encode()}
    return {form for form in forms if len(form) >= _KEY}


def _byte_letters() -> list[str]:
    """The letter that byte-level BPE (Radford et al., 2019) writes for each byte."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    letters, extra = [], 0x100
    for byte in range(256):
        letters.append(chr(byte) if byte in printable else chr(extra))
        extra += byte not in printable
    return letters


_BYTE_LETTERS = _byte_letters()
_LONGEST = 1 << 16


def _pieces(path: Path) -> Iterator[bytes]:
    """The content of a file in overlapping pieces, then what is compressed in it."""
    with path.open("rb") as file:
        head = file.read(8)
        file.seek(0)
        tail = b""
        while chunk := file.read(_CHUNK):
            yield tail + chunk
            tail = chunk[-_LONGEST:]
    yield from _inflated(path, head)


def _inflated(path: Path, head: bytes) -> Iterable[bytes]:
    try:
        if head.startswith(b"PK"):
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    if member.file_size > _MOST_INFLATED:
                        raise UserError("Something compressed is too large to search", where=str(path))
                    yield member.filename.encode("utf-8", "surrogatepass") + b"\n" + archive.read(member)
        elif head.startswith((b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")):
            inflater = zlib.decompressobj(wbits=47)  # gzip or zlib, told by the header
            content = inflater.decompress(path.read_bytes(), _MOST_INFLATED)
            if inflater.unconsumed_tail:
                raise UserError("Something compressed is too large to search", where=str(path))
            yield content
        elif head.startswith(b"BZh"):
            with BZ2File(path) as file:
                yield _bounded(file, path)
        elif head.startswith(b"\xfd7zXZ"):
            with LZMAFile(path) as file:
                yield _bounded(file, path)
    except (OSError, zlib.error, zipfile.BadZipFile, LZMAError, EOFError, RuntimeError):
        return  # it only looked like an archive


def _bounded(file: BZ2File | LZMAFile, path: Path) -> bytes:
    content = file.read(_MOST_INFLATED + 1)
    if len(content) > _MOST_INFLATED:
        raise UserError("Something compressed is too large to search", where=str(path))
    return content


def _fold(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """20 bits of a multiplicative hash of each value."""
    with np.errstate(over="ignore"):
        mixed = values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(mixed >> np.uint64(44), dtype=np.int64)
