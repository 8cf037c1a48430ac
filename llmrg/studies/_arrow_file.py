"""Arrow tables in files without a name that are mapped into memory: their rows are the system's cache, not ours."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["ArrowFile", "ArrowRows"]

_RELEASE_AFTER = 2**16
"""Rows read before the pages of a mapped file are given back."""


class ArrowFile:
    """Takes record batches; small tables stay in memory, larger ones go to a temporary file (of ``TMPDIR``).

    Args:
        schema: of the batches.
        memory: bytes from which on the table is written to a file.
    """

    def __init__(self, schema: pa.Schema, *, memory: int) -> None:
        self._schema = schema
        self._memory = memory
        self._held: list[pa.RecordBatch] = []
        self._bytes = 0
        self._path: Path | None = None
        self._writer: Any = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch."""
        if self._writer is None and self._bytes + batch.nbytes > self._memory:
            handle, name = tempfile.mkstemp(prefix="llmrg-", suffix=".arrow")
            os.close(handle)
            self._path = Path(name)
            self._writer = pa.ipc.new_file(name, self._schema)
            for held in self._held:
                self._writer.write_batch(held)
            self._held = []
        if self._writer is None:
            self._held.append(batch)
            self._bytes += batch.nbytes
        else:
            self._writer.write_batch(batch)

    def finish(self) -> ArrowRows:
        """Close the file, map it and take its name away, so that nothing of it stays behind."""
        if self._path is None:
            return ArrowRows(self._held)
        self._writer.close()
        self._writer = None
        with self._path.open("rb") as file:
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._path.unlink()
        self._path = None
        pa.default_memory_pool().release_unused()
        reader = pa.ipc.open_file(pa.py_buffer(mapping))
        return ArrowRows([reader.get_batch(i) for i in range(reader.num_record_batches)], mapping=mapping)

    def abandon(self) -> None:
        """Remove what was written."""
        if self._writer is not None:
            self._writer.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


class ArrowRows:
    """Rows of record batches by number, without ever joining the batches.

    Args:
        batches: of one schema.
        mapping: the mapped file they lie in, if they do; its pages are given back from time to time, so that a pass
            over a large table does not look like memory in use.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch], *, mapping: mmap.mmap | None = None) -> None:
        self.batches = tuple(batch for batch in batches if batch.num_rows)
        self._ends = np.cumsum([batch.num_rows for batch in self.batches], dtype=np.int64)
        self._mapping = mapping
        self._read = 0

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.batches,)

    def take(self, rows: npt.NDArray[np.integer[Any]]) -> list[dict[str, Any]]:
        """Return the records at these row numbers, in this order."""
        places = np.searchsorted(self._ends, rows, side="right")
        order = np.argsort(places, kind="stable")  # rows of one batch together, however they are asked for
        found: list[dict[str, Any]] = []
        for part in np.split(order, np.flatnonzero(np.diff(places[order])) + 1):
            if len(part):
                found += self._take_from(int(places[part[0]]), rows[part].astype(np.int64))
        if np.any(np.diff(order) != 1):
            back = np.empty(len(order), dtype=np.int64)
            back[order] = np.arange(len(order))
            found = [found[place] for place in back]
        return found

    def _take_from(self, number: int, rows: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
        batch = self.batches[number]
        local = rows - (int(self._ends[number]) - batch.num_rows)
        # Scattered rows touch pages all over their batch.
        self._count(max(len(rows), batch.num_rows if len(rows) < batch.num_rows // 2 else 0))
        if len(local) == 1 or np.all(np.diff(local) == 1):
            return cast("list[dict[str, Any]]", batch.slice(int(local[0]), len(local)).to_pylist())
        return cast("list[dict[str, Any]]", batch.take(pa.array(local)).to_pylist())

    def column(self, name: str, rows: npt.NDArray[np.integer[Any]] | None = None, *, at_once: int = 4096) -> Any:
        """Go through one column, all of it or these rows, a few thousand values at a time."""
        if rows is None:
            for batch in self.batches:
                for start in range(0, batch.num_rows, at_once):
                    yield from batch.column(name).slice(start, at_once).to_pylist()
                self._count(batch.num_rows)
            return
        narrow = ArrowRows([batch.select([name]) for batch in self.batches])
        for start in range(0, len(rows), at_once):
            for record in narrow.take(rows[start : start + at_once]):
                yield record[name]
            self._count(min(at_once, len(rows) - start))

    def table(self, schema: pa.Schema) -> pa.Table:
        """The same rows as one table, whose columns are in pieces."""
        return pa.Table.from_batches(self.batches, schema=schema)

    def release(self) -> None:
        """Give the pages that were read back to the system; they are read again where they are needed."""
        if self._mapping is not None and hasattr(self._mapping, "madvise"):
            self._mapping.madvise(mmap.MADV_DONTNEED)
        self._read = 0

    def _count(self, rows: int) -> None:
        self._read += rows
        if self._read >= _RELEASE_AFTER:
            self.release()
