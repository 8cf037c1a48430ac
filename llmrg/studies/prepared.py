"""Films that were decoded and resized once, read from shards of raw pixels and checked by their hashes.

``llmrg data prepare`` makes them (:mod:`llmrg.studies.prepare`). Pixels are those that
:func:`llmrg.studies.film.read_film` would give, bit for bit.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_left
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from llmrg.artefacts import file_hash, is_complete, read_manifest
from llmrg.errors import UserError
from llmrg.studies._prepared_index import KIND, film_key, index_name, read_table, shard_name
from llmrg.studies.film import FILM_VERSION
from llmrg.studies.images import GreyImage, ImageError
from llmrg.studies.settings import DataConfig, Fit

__all__ = ["PreparedError", "PreparedFilms", "open_prepared", "stored_pixels"]

_AGAIN = "prepare again (llmrg data prepare)"


class PreparedError(UserError):
    """Prepared films are damaged or do not fit the dataset any more.

    Args:
        what: what is wrong.
        where: the file concerned.
        next_step: what to do about it.
    """

    def __init__(self, what: str, where: str | None = None, next_step: str = _AGAIN) -> None:
        self.what, self.where, self.next_step = what, where, next_step
        super().__init__(what, where=where, next_step=next_step)

    def __reduce__(self) -> tuple[type[PreparedError], tuple[str, str | None, str]]:
        """Let the error travel out of a data loading process."""
        return type(self), (self.what, self.where, self.next_step)


class PreparedFilms:
    """Reads prepared films; nothing but the index is touched before a film is asked for.

    The first time that a film is read (in each process), its source must still have the size and time of change that
    it had, or else the same sha256, and the stored pixels must have theirs.

    Args:
        directory: the folder that ``llmrg data prepare`` made.
        root: folder of the dataset.
        size: side of the films in pixels; must be the prepared one.
        fit: how films became squares; must be the prepared way.

    Raises:
        UserError: no complete folder of prepared films, a damaged index, or films of another size, fit or version.
    """

    def __init__(self, directory: Path, *, root: Path, size: int, fit: Fit) -> None:
        if not is_complete(directory):
            state = "are incomplete (preparing was interrupted)" if directory.is_dir() else "do not exist"
            raise PreparedError(f"The prepared films {state}", str(directory), f"{_AGAIN}, or set prepared=null")
        manifest = read_manifest(directory)
        for name, wanted in {"size": size, "fit": fit, "film_version": FILM_VERSION}.items():
            found = manifest.details.get(name)
            if manifest.kind == KIND and found != wanted:
                key = {"size": "image_size", "fit": "fit"}.get(name)
                raise PreparedError(
                    f"The films were prepared with {name} {found}, but {wanted} is needed",
                    str(directory),
                    f"{_AGAIN} into another folder" + (f", or set {key}={found}" if key else ""),
                )
        manifest.require(kind=KIND, where=directory)
        self.directory = directory
        self._root = root.resolve()
        self._size = size
        digest = str(manifest.details.get("index_sha256", ""))
        self._table: pa.Table = read_table(directory / index_name(digest), sha256=digest)
        self._keys = self._table.column("key")
        self._checked = np.zeros(self._table.num_rows, dtype=bool)

    def __len__(self) -> int:
        return self._table.num_rows

    def __contains__(self, path: object) -> bool:
        """Tell whether a film was prepared (or found to be bad)."""
        return isinstance(path, Path) and self._row(path) is not None

    def read(self, path: Path) -> GreyImage:
        """Return the pixels [size, size] of the film that was prepared from ``path``.

        Raises:
            ImageError: the file could not be used when films were prepared (it is missing, broken, ...).
            PreparedError: the film was not prepared, its file has changed since, or the stored pixels are damaged.
        """
        row = self._row(path)
        if row is None:
            raise PreparedError(
                f"The film {str(path)!r} is not among the prepared films",
                str(self.directory),
                "prepare again (llmrg data prepare adds what is missing)",
            )
        if not self._checked[row]:
            self._check_source(path, row)
        slot = self._value("slot", row)
        if slot < 0:
            raise ImageError(path, str(self._value("reason", row)))
        shard = self._value("shard", row)
        file = self.directory / shard_name(shard)
        pixels = stored_pixels(file, slot, self._size)
        if not self._checked[row]:
            if hashlib.sha256(pixels.data).digest() != self._value("pixels_sha256", row):
                raise PreparedError(f"The prepared film of {str(path)!r} is damaged (its sha256 differs)", str(file))
            self._checked[row] = True
        return pixels

    def _row(self, path: Path) -> int | None:
        key = film_key(path, self._root)
        row = bisect_left(range(len(self._keys)), key, key=lambda index: self._keys[index].as_py())
        return row if row < len(self._keys) and self._keys[row].as_py() == key else None

    def _value(self, column: str, row: int) -> Any:
        return self._table.column(column)[row].as_py()

    def _check_source(self, path: Path, row: int) -> None:
        try:
            status = os.stat(path)  # noqa: PTH116 (a little faster, once a film)
        except OSError:
            raise ImageError(path, "does not exist") from None
        same_size = status.st_size == self._value("bytes", row)
        if same_size and status.st_mtime_ns == self._value("modified", row):
            return
        if not same_size or bytes.fromhex(file_hash(path)) != self._value("sha256", row):
            raise PreparedError(f"The film {str(path)!r} has changed since it was prepared", str(self.directory))


def stored_pixels(file: Path, slot: int, size: int) -> GreyImage:
    """Read one film of a shard, unchecked.

    The file is read, not mapped: mapped pages would count as this process's memory, and a bad disk would end it.

    Args:
        file: the shard.
        slot: which film of it.
        size: side of the films in pixels.

    Returns:
        Grey values [size, size].

    Raises:
        PreparedError: the shard is missing, cut off, or cannot be read.
    """
    pixels = np.empty((size, size), dtype=np.uint8)
    try:
        with file.open("rb", buffering=0) as shard:
            shard.seek(slot * pixels.nbytes)
            count = shard.readinto(pixels.data.cast("B"))
    except OSError as error:
        raise PreparedError(f"A file of the prepared films cannot be read ({error.strerror})", str(file)) from None
    if count != pixels.nbytes:
        raise PreparedError("A file of the prepared films is cut off", str(file))
    return pixels


def open_prepared(config: DataConfig) -> PreparedFilms | None:
    """Return the prepared films of a dataset, opened once in each process; None where it uses none.

    Raises:
        UserError: see :class:`PreparedFilms`.
    """
    if config.prepared is None:
        return None
    return _open(config.prepared, config.root, config.image_size, config.fit)


@lru_cache(maxsize=4)
def _open(directory: Path, root: Path, size: int, fit: Fit) -> PreparedFilms:
    return PreparedFilms(directory, root=root, size=size, fit=fit)
