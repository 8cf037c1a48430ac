"""Studies held in columns, so that a million of them are cheap to keep, to select and to send to other processes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmrg.artefacts import text_hash
from llmrg.errors import BadStudyError, UserError
from llmrg.studies.study import Context, Image, Study

__all__ = ["StudyTable", "StudyTableBuilder"]

_SCHEMA = pa.schema(
    [
        ("id", pa.large_string()),
        ("patient_id", pa.large_string()),
        ("split", pa.string()),
        ("language", pa.string()),
        ("images", pa.list_(pa.struct([("path", pa.string()), ("view", pa.string())]))),
        ("age", pa.float64()),
        ("sex", pa.string()),
        ("indication", pa.large_string()),
        ("history", pa.large_string()),
        ("prior", pa.large_string()),
        ("sections", pa.map_(pa.string(), pa.large_string())),
        ("labels", pa.map_(pa.string(), pa.float64())),
    ]
)


class StudyTable(Sequence[Study]):
    """A sequence of studies over an Arrow table; selections share the table.

    Args:
        table: columns of the studies, as :class:`StudyTableBuilder` makes them.
        rows: rows of ``table`` that this sequence shows, in order; all by default.
        bad: (study id, reason) of studies that could not be used.
        set_aside: reason to number of sound studies left out on purpose (no target section, ...).
    """

    def __init__(
        self,
        table: pa.Table,
        *,
        rows: npt.NDArray[np.int64] | None = None,
        bad: Sequence[tuple[str, str]] = (),
        set_aside: Mapping[str, int] | None = None,
    ) -> None:
        self._table = table
        self._rows = np.arange(table.num_rows, dtype=np.int64) if rows is None else rows
        self._bad = tuple(bad)
        self._set_aside = dict(set_aside or {})

    @classmethod
    def from_studies(cls, studies: Iterable[Study]) -> StudyTable:
        """Make a table of studies at hand.

        Raises:
            UserError: an id occurs twice.
        """
        builder = StudyTableBuilder()
        for study in studies:
            if not builder.add(study):
                raise UserError(f"The study id {study.id!r} occurs twice")
        return builder.finish()

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Study: ...

    @overload
    def __getitem__(self, index: slice) -> StudyTable: ...

    def __getitem__(self, index: int | slice) -> Study | StudyTable:
        """Return one study, or a selection that shares the table."""
        if isinstance(index, slice):
            return self._with_rows(self._rows[index])
        row = int(self._rows[index])
        return _study({name: self._table.column(name)[row].as_py() for name in _SCHEMA.names})

    def __iter__(self) -> Iterator[Study]:
        """Go through the studies in order, decoding them in batches."""
        for start in range(0, len(self._rows), 256):
            for record in self._table.take(self._rows[start : start + 256]).to_pylist():
                yield _study(record)

    def __repr__(self) -> str:
        """Show the number of studies by split."""
        return f"StudyTable({len(self)} studies, {dict(self.splits)})"

    @property
    def ids(self) -> tuple[str, ...]:
        """Identifiers of the studies, in order."""
        return tuple(self._column("id"))

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """Patient of each study, in order."""
        return tuple(self._column("patient_id"))

    @property
    def split_names(self) -> tuple[str, ...]:
        """Split of each study, in order."""
        return tuple(self._column("split"))

    @property
    def splits(self) -> Mapping[str, int]:
        """Name of each split to its number of studies, in order of first appearance."""
        counts: dict[str, int] = {}
        for name in self._column("split"):
            counts[name] = counts.get(name, 0) + 1
        return counts

    @property
    def bad(self) -> tuple[BadStudyError, ...]:
        """Studies of the whole dataset that could not be used, with the reason."""
        return tuple(BadStudyError(study_id, reason) for study_id, reason in self._bad)

    @property
    def set_aside(self) -> Mapping[str, int]:
        """Reason to number of sound studies of the whole dataset that were left out on purpose."""
        return dict(self._set_aside)

    def split(self, name: str) -> StudyTable:
        """Return the studies of one split.

        Raises:
            UserError: no study has this split.
        """
        chosen = [row for row, split in enumerate(self._column("split")) if split == name]
        if not chosen:
            raise UserError(f"The split {name!r} has no studies", allowed=list(self.splits), got=name)
        return self.select(chosen)

    def select(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> StudyTable:
        """Return the studies at these positions, in this order."""
        return self._with_rows(self._rows[np.asarray(indices, dtype=np.int64)])

    def filter(self, keep: Callable[[Study], bool]) -> StudyTable:
        """Return the studies for which ``keep`` is true."""
        return self.select([index for index, study in enumerate(self) if keep(study)])

    def reports(self, target: tuple[str, ...] = ("findings",)) -> list[str]:
        """Return :meth:`Study.report` of each study, in order."""
        return [study.report(target) for study in self]

    def split_hash(self, name: str | None = None) -> str:
        """Return a hash over the sorted study ids of a split (of all studies without a name)."""
        return text_hash(sorted((self if name is None else self.split(name)).ids))

    def _column(self, name: str) -> list[Any]:
        return cast("list[Any]", self._table.column(name).take(self._rows).to_pylist())

    def _with_rows(self, rows: npt.NDArray[np.int64]) -> StudyTable:
        return StudyTable(self._table, rows=rows, bad=self._bad, set_aside=self._set_aside)


class StudyTableBuilder:
    """Collects studies into a :class:`StudyTable`.

    Args:
        chunk: studies that are Python objects at once.
        memory: a larger table (in bytes) is written to a temporary file, which is mapped into memory and has no name
            (so nothing of it stays behind).
    """

    def __init__(self, *, chunk: int = 4096, memory: int = 256 * 2**20) -> None:
        self._chunk = chunk
        self._memory = memory
        self._pending: list[dict[str, Any]] = []
        self._batches: list[pa.RecordBatch] = []
        self._file: Path | None = None
        self._writer: Any = None
        self._ids: set[str] = set()

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, study: Study) -> bool:
        """Add a study; return False, and leave it out, if its id was seen before."""
        if study.id in self._ids:
            return False
        self._ids.add(study.id)
        self._pending.append(_record(study))
        if len(self._pending) >= self._chunk:
            self._flush()
        return True

    def finish(self, *, bad: Sequence[tuple[str, str]] = (), set_aside: Mapping[str, int] | None = None) -> StudyTable:
        """Return the table of all studies added."""
        self._flush()
        if self._file is None:
            table = pa.Table.from_batches(self._batches, schema=_SCHEMA).combine_chunks()
        else:
            self._writer.close()
            table = pa.ipc.open_file(pa.memory_map(str(self._file))).read_all()
            self._file.unlink()
        return StudyTable(table, bad=bad, set_aside=set_aside)

    def _flush(self) -> None:
        if self._pending:
            self._batches.append(pa.RecordBatch.from_pylist(self._pending, schema=_SCHEMA))
            self._pending = []
        if self._file is None and sum(batch.nbytes for batch in self._batches) > self._memory:
            handle, name = tempfile.mkstemp(prefix="llmrg-studies-", suffix=".arrow")
            os.close(handle)
            self._file = Path(name)
            self._writer = pa.ipc.new_file(name, _SCHEMA)
        if self._writer is not None:
            for batch in self._batches:
                self._writer.write_batch(batch)
            self._batches = []


def _record(study: Study) -> dict[str, Any]:
    context = study.context
    return {
        "id": study.id,
        "patient_id": study.patient_id,
        "split": study.split,
        "language": study.language,
        "images": [{"path": str(image.path), "view": image.view} for image in study.images],
        "age": context.age,
        "sex": context.sex,
        "indication": context.indication,
        "history": context.history,
        "prior": study.prior,
        "sections": list(study.sections.items()),
        "labels": None if study.labels is None else list(study.labels.items()),
    }


def _study(record: Mapping[str, Any]) -> Study:
    return Study(
        id=record["id"],
        patient_id=record["patient_id"],
        images=tuple(Image(path=Path(image["path"]), view=image["view"]) for image in record["images"]),
        split=record["split"],
        language=record["language"],
        context=Context(
            age=record["age"], sex=record["sex"], indication=record["indication"], history=record["history"]
        ),
        prior=record["prior"],
        sections=dict(record["sections"] or ()),
        labels=None if record["labels"] is None else dict(record["labels"]),
    )
