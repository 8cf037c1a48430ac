"""Decoding and resizing all films of a dataset once (``llmrg data prepare``).

:mod:`llmrg.studies.prepared` reads what is written here. A shard is written whole, then its rows, so that a run that is
killed loses at most the shard it was filling; the next run goes on with the films that are missing, changed or damaged.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pyarrow as pa
import pyarrow.compute as pc

from llmrg.artefacts import COMPLETE, MANIFEST, Manifest, file_hash, write_bytes
from llmrg.errors import UserError
from llmrg.studies._prepared_index import (
    INDEX_SCHEMA,
    KIND,
    film_key,
    index_name,
    merge_tables,
    read_table,
    shard_name,
    table_bytes,
)
from llmrg.studies._processes import map_in_order
from llmrg.studies.film import FILM_VERSION, read_film
from llmrg.studies.images import ImageError
from llmrg.studies.prepared import PreparedError, stored_pixels
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig, Fit

__all__ = ["SHARD_FILMS", "Prepared", "prepare_films"]

logger = logging.getLogger(__name__)

SHARD_FILMS = 256
"""Films of a shard: 12 MiB at 224 pixels, half a minute of decoding full-size PNGs on one core."""

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What preparing did.

    Args:
        directory: the folder of the prepared films.
        size: side of the films in pixels.
        fit: how films became squares.
        films: films that the dataset has.
        kept: films that were prepared before.
        decoded: films that were decoded now, without bad ones.
        bad: path to reason of the films that cannot be used.
        bytes: size of the folder.
    """

    directory: Path
    size: int
    fit: str
    films: int
    kept: int
    decoded: int
    bad: Mapping[str, str]
    bytes: int

    def as_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {**vars(self), "directory": str(self.directory), "bad": dict(self.bad)}


def prepare_films(
    config: DataConfig,
    out: Path,
    *,
    size: int | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Decode and resize every film of a dataset into a folder that training reads with ``data.prepared=OUT``.

    Args:
        config: the dataset; its ``fit`` is used.
        out: folder to make, or one that an earlier run (finished or not) of the same size and fit left.
        size: side of the films in pixels; by default the configuration's ``image_size``.
        workers: processes; as many as there are cores by default.
        progress: called with (films done, films in all).

    Raises:
        UserError: ``out`` holds something else, cannot be written, is being written by another process, or the disk
            is too small or full. What was prepared until then is kept, and nothing is half-written.
    """
    size = config.image_size if size is None else size
    identity = {"size": size, "fit": config.fit, "film_version": FILM_VERSION}
    root = config.root.resolve()
    studies = read_studies(config)
    films = {film_key(image.path, root): image.path for study in studies for image in study.images}
    with _told(out):
        _check_folder(out, identity)
    with _told(out), _locked(out):
        _claim(out, identity)
        old = _stored(out)
        known = _sound_rows(out, old, films, size=size)
        missing = [key for key in films if key not in known]
        _check_room(out, len(missing) * size * size)
        done = len(known)
        if progress is not None:
            progress(done, len(films))
        tables = [pa.Table.from_pylist(list(known.values()), schema=INDEX_SCHEMA)]
        number = 1 + max([-1, *old.column("shard").to_pylist(), *_shard_numbers(out)])
        for rows in _fill(out, missing, films, first=number, size=size, fit=config.fit, workers=workers):
            tables.append(pa.Table.from_pylist(rows, schema=INDEX_SCHEMA))
            done += len(rows)
            if progress is not None:
                progress(done, len(films))
        table = merge_tables(tables)
        _finish(out, table, identity, languages=tuple(sorted({study.language for study in studies})))
    rows_bad = table.filter(pc.is_valid(table.column("reason"))).select(["key", "reason"]).to_pylist()
    bad = {row["key"]: row["reason"] for row in rows_bad}
    fresh_bad = sum(key in bad for key in missing)
    return Prepared(
        directory=out,
        size=size,
        fit=config.fit,
        films=len(films),
        kept=len(known),
        decoded=len(missing) - fresh_bad,
        bad=bad,
        bytes=sum(path.stat().st_size for path in out.iterdir() if path.is_file()),
    )


def _prepare_one(item: tuple[str, Path], *, size: int, fit: Fit) -> tuple[Row, bytes | None]:
    """Return the row of a film (place still open) and its pixels, or None for one that cannot be used."""
    key, path = item
    row: Row = dict.fromkeys(INDEX_SCHEMA.names)
    row.update(key=key, bytes=0, modified=0, sha256=bytes(32), slot=-1)
    try:
        status = path.stat()
        row.update(bytes=status.st_size, modified=status.st_mtime_ns, sha256=bytes.fromhex(file_hash(path)))
        pixels = read_film(path, size=size, fit=fit).tobytes()
    except ImageError as error:
        return {**row, "reason": error.reason}, None
    except OSError as error:
        return {**row, "reason": f"cannot be read ({error.strerror})"}, None
    return {**row, "pixels_sha256": hashlib.sha256(pixels).digest()}, pixels


def _fill(
    out: Path,
    missing: Sequence[str],
    films: Mapping[str, Path],
    *,
    first: int,
    size: int,
    fit: Fit,
    workers: int | None,
) -> Iterator[list[Row]]:
    """Decode films and write them shard by shard; yield the rows of each."""
    work = partial(_prepare_one, size=size, fit=fit)
    results = map_in_order(work, ((key, films[key]) for key in missing), workers=workers)
    number, rows, pixels = first, list[Row](), list[bytes]()
    for row, film in results:
        rows.append({**row, "shard": number, "slot": -1 if film is None else len(pixels)})
        if film is not None:
            pixels.append(film)
        if len(rows) == SHARD_FILMS:
            _write_shard(out, number, rows, pixels)
            yield rows
            number, rows, pixels = number + 1, [], []
    if rows:
        _write_shard(out, number, rows, pixels)
        yield rows


def _write_shard(out: Path, number: int, rows: list[Row], pixels: list[bytes]) -> None:
    write_bytes(out / shard_name(number), b"".join(pixels))
    table = pa.Table.from_pylist(rows, schema=INDEX_SCHEMA)
    write_bytes(out / shard_name(number, suffix=".arrow"), table_bytes(table))


def _stored(out: Path) -> pa.Table:
    """Return the rows of all films that lie in ``out``: those of the index and of shards written since."""
    tables = []
    for path in [*sorted(out.glob("index-*.arrow")), *sorted(out.glob("shard-*.arrow"))]:
        try:
            tables.append(read_table(path))
        except UserError:
            logger.warning("%s is damaged; its films are prepared again", path)
    return merge_tables(tables)


def _sound_rows(out: Path, table: pa.Table, films: Mapping[str, Path], *, size: int) -> dict[str, Row]:
    """Return the rows of films whose file is as it was and whose stored pixels are sound; a bad film is tried again."""
    sound = {}
    for batch in table.to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            path = films.get(row["key"])
            if path is None or row["slot"] < 0:
                continue
            status = path.stat()
            if status.st_size != row["bytes"]:
                continue
            if status.st_mtime_ns != row["modified"]:
                if bytes.fromhex(file_hash(path)) != row["sha256"]:
                    continue
                row["modified"] = status.st_mtime_ns
            try:
                pixels = stored_pixels(out / shard_name(row["shard"]), row["slot"], size)
            except PreparedError:
                continue
            if hashlib.sha256(pixels.data).digest() == row["pixels_sha256"]:
                sound[row["key"]] = row
            else:
                logger.warning("the prepared film of %s is damaged and made again", row["key"])
    return sound


def _shard_numbers(out: Path) -> list[int]:
    return [int(path.stem.removeprefix("shard-")) for path in out.glob("shard-*.u8")]


def _check_folder(out: Path, identity: Mapping[str, Any]) -> bool:
    """Tell whether ``out`` holds films of this size and fit; refuse what else it may hold."""
    manifest = out / MANIFEST
    if not manifest.is_file():
        if out.exists() and any(path.name != _LOCK and not path.name.startswith(".tmp-") for path in out.iterdir()):
            raise UserError("This folder is not empty", where=str(out), next_step="remove it or choose another folder")
        return False
    try:
        values = json.loads(manifest.read_text(encoding="utf-8"))
        found = values["details"] if values["kind"] == KIND else None
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, dict):
        raise UserError("This folder holds something else", where=str(out), next_step="choose another folder")
    for key, wanted in identity.items():
        if found.get(key) != wanted:
            raise UserError(
                f"This folder holds films prepared with {key} {found.get(key)}, not {wanted}",
                where=str(out),
                next_step="remove it or choose another folder",
            )
    return True


def _claim(out: Path, identity: Mapping[str, Any]) -> None:
    """Make the folder one of prepared films; remove what a killed run left half-written."""
    if not _check_folder(out, identity):
        Manifest(kind=KIND, producer="llmrg data prepare", details=dict(identity)).write(out)
    for path in out.glob(".tmp-*"):
        path.unlink()


def _finish(out: Path, table: pa.Table, identity: Mapping[str, Any], *, languages: tuple[str, ...]) -> None:
    """Write the index, then the manifest that names it, then the marker; then remove what they replace."""
    content = table_bytes(table)
    digest = hashlib.sha256(content).hexdigest()
    name = index_name(digest)
    write_bytes(out / name, content)
    bad = table.column("reason").length() - table.column("reason").null_count
    Manifest(
        kind=KIND,
        producer="llmrg data prepare",
        languages=languages,
        details={
            **identity,
            "films": table.num_rows - bad,
            "bad_films": bad,
            "index_sha256": digest,
            "pillow": PIL.__version__,
            "numpy": np.__version__,
        },
    ).write(out)
    write_bytes(out / COMPLETE, b"")
    used = {shard_name(number) for number in set(table.column("shard").to_pylist())}
    for path in [*out.glob("index-*.arrow"), *out.glob("shard-*.arrow"), *out.glob("shard-*.u8")]:
        if path.name != name and path.name not in used:
            path.unlink()


def _check_room(out: Path, needed: int) -> None:
    free = shutil.disk_usage(out).free
    if needed > free:
        raise UserError(
            f"The prepared films need {needed / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free",
            where=str(out),
            next_step="free some space, choose another folder or a smaller --size",
        )


_LOCK = ".lock"


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Keep other processes from preparing into the same folder; the lock ends with the process."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / _LOCK).open("w", encoding="utf-8") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock's, not held by forked workers too
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise UserError(
                "Another process prepares films into this folder", where=str(out), next_step="wait for it to end"
            ) from None
        yield


@contextmanager
def _told(out: Path) -> Iterator[None]:
    """Turn what the operating system refuses into one message."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(
            f"Films cannot be prepared here: {what}",
            where=str(error.filename or out),
            next_step="free some space and run the command again, which goes on where it stopped"
            if full
            else "choose a folder and films that you may read and write",
        ) from error
