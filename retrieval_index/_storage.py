"""Saved indexes: a directory that is there whole or not at all, and is checked to the bit before it is read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retrieval_index.errors import DamagedIndexError, RetrievalIndexError
from retrieval_index.records import Record

INDEX = "index.faiss"
RECORDS = "records.jsonl"
MANIFEST = "manifest.json"
COMPLETE = "COMPLETE"


@contextmanager
def new_directory(target: Path) -> Iterator[Path]:
    """Give a temporary directory that takes the place of ``target`` when the block ends without an error.

    The completion marker holds the hash of the manifest and is written last, after everything reached the disk.

    Raises:
        RetrievalIndexError: nothing can be written there.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".tmp-{target.name}-", dir=target.parent))
    except OSError as error:
        raise RetrievalIndexError(f"cannot write the index to {target}: {error.strerror}") from error
    try:
        yield temporary
        temporary.chmod(0o755)
        for path in temporary.iterdir():
            path.chmod(0o644)
            _flush(path)
        (temporary / COMPLETE).write_text(file_hash(temporary / MANIFEST) + "\n", encoding="ascii")
        _flush(temporary / COMPLETE)
        _flush(temporary)
        _replace(temporary, target)
    except OSError as error:
        raise RetrievalIndexError(f"cannot write the index to {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_manifest(directory: Path, values: Mapping[str, Any]) -> None:
    """Write ``manifest.json`` with the hash of every file in the directory added to ``details.files``.

    Raises:
        RetrievalIndexError: the values are not what JSON can hold.
    """
    files = {path.name: file_hash(path) for path in sorted(directory.iterdir())}
    whole = {**values, "details": {**values["details"], "files": files}}
    try:
        text = json.dumps(whole, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RetrievalIndexError(f"the manifest of an index holds JSON values only: {error}") from error
    (directory / MANIFEST).write_bytes((text + "\n").encode("utf-8", "surrogatepass"))


def read_checked_manifest(directory: Path) -> dict[str, Any]:
    """Return the manifest of a saved index whose files are all there and unaltered.

    Raises:
        DamagedIndexError: no directory, no completion marker, a missing file, or a hash that differs.
    """
    if not directory.is_dir():
        raise DamagedIndexError(f"there is no index at {directory}")
    if not (directory / COMPLETE).is_file() or not (directory / MANIFEST).is_file():
        raise DamagedIndexError(f"the index at {directory} is incomplete (no completion marker); build it again")
    marker = (directory / COMPLETE).read_bytes().decode("ascii", "replace").strip()
    if marker != file_hash(directory / MANIFEST):
        raise DamagedIndexError(f"{directory / MANIFEST} was altered after it was written; build the index again")
    try:
        manifest: dict[str, Any] = json.loads((directory / MANIFEST).read_bytes().decode("utf-8", "surrogatepass"))
        files = dict(manifest["details"]["files"])
        kind = manifest["kind"]
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedIndexError(f"{directory / MANIFEST} cannot be read as a manifest") from error
    if kind != "index" or not {INDEX, RECORDS} <= files.keys():
        raise DamagedIndexError(f"{directory} does not hold a retrieval index but {kind!r}")
    for name, wanted in files.items():
        if Path(name).name != name or not (directory / name).is_file():
            raise DamagedIndexError(f"the index at {directory} lacks its file {name}; build it again")
        if file_hash(directory / name) != wanted:
            raise DamagedIndexError(f"{directory / name} is damaged (its sha256 differs); build the index again")
    return manifest


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write one record a line.

    Raises:
        RetrievalIndexError: metadata that JSON cannot hold.
    """
    with path.open("wb") as file:
        for record in records:
            try:
                line = json.dumps(record.to_mapping(), ensure_ascii=False, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise RetrievalIndexError(f"record {record.id!r} holds more than JSON values: {error}") from error
            file.write((line + "\n").encode("utf-8", "surrogatepass"))


def read_records(path: Path) -> list[Record]:
    """Read what :func:`write_records` wrote.

    Raises:
        DamagedIndexError: a line that is no record.
    """
    records = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                records.append(Record(**json.loads(line.decode("utf-8", "surrogatepass"))))
            except (ValueError, TypeError) as error:
                raise DamagedIndexError(f"{path}, line {number}, is not a record") from error
    return records


def file_hash(path: Path) -> str:
    """Return the sha256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _replace(temporary: Path, target: Path) -> None:
    if not target.exists():
        temporary.replace(target)
    else:
        shelter = Path(tempfile.mkdtemp(prefix=f".old-{target.name}-", dir=target.parent))
        target.replace(shelter / target.name)
        try:
            temporary.replace(target)
        except OSError:
            (shelter / target.name).replace(target)
            raise
        finally:
            shutil.rmtree(shelter, ignore_errors=True)
    _flush(target.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
