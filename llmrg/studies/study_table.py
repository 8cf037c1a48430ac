"""Studies held in columns, so that a million of them are cheap to keep, to select and to send to other processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmrg.artefacts import text_hash
from llmrg.errors import BadStudyError, UserError
from llmrg.studies._arrow_file import ArrowFile, ArrowRows
from llmrg.studies._hashing import HashSet, hash_text, hash_texts
from llmrg.studies.splits import overlapping_patients
from llmrg.studies.study import Context, Image, Study

__all__ = ["HashedColumn", "StudyTable", "StudyTableBuilder", "study_column"]

Rows = npt.NDArray[np.integer[Any]]
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
        ("dataset", pa.string()),
    ]
)


class StudyTable(Sequence[Study]):
    """A sequence of studies over Arrow rows, in memory or in a mapped file; selections share them.

    Args:
        table: rows of the studies, as :class:`StudyTableBuilder` makes them.
        rows: rows of ``table`` that this sequence shows, in order; all by default.
        bad: (study id, reason) of studies that could not be used.
        set_aside: reason to number of sound studies left out on purpose (no target section, ...).
    """

    def __init__(
        self,
        table: ArrowRows,
        *,
        rows: Rows | None = None,
        bad: Sequence[tuple[str, str]] = (),
        set_aside: Mapping[str, int] | None = None,
    ) -> None:
        self._table = table
        kind: type[np.integer[Any]] = np.uint32 if len(table) < 2**32 else np.int64
        self._rows: Rows | None = None if rows is None else rows.astype(kind, copy=False)
        self._bad = tuple(bad)
        self._set_aside = dict(set_aside or {})
        self._split_codes: tuple[npt.NDArray[np.uint16], tuple[str, ...]] | None = None

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
        return len(self._table) if self._rows is None else len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Study: ...

    @overload
    def __getitem__(self, index: slice) -> StudyTable: ...

    def __getitem__(self, index: int | slice) -> Study | StudyTable:
        """Return one study, or a selection that shares the table."""
        if isinstance(index, slice):
            return self._with_rows(self._row_numbers(index))
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"study {index} of {len(self)}")
        row = position if self._rows is None else int(self._rows[position])
        return _study(self._table.take(np.array([row]))[0])

    def __iter__(self) -> Iterator[Study]:
        """Go through the studies in order, decoding them in batches."""
        for start in range(0, len(self), 1024):
            for record in self._table.take(self._row_numbers(slice(start, start + 1024))):
                yield _study(record)

    def __repr__(self) -> str:
        """Show the number of studies by split."""
        return f"StudyTable({len(self)} studies, {dict(self.splits)})"

    @property
    def ids(self) -> tuple[str, ...]:
        """Identifiers of the studies, in order."""
        return tuple(self.column("id"))

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """Patient of each study, in order."""
        return tuple(self.column("patient_id"))

    @property
    def split_names(self) -> tuple[str, ...]:
        """Split of each study, in order."""
        return tuple(self.column("split"))

    @property
    def splits(self) -> Mapping[str, int]:
        """Name of each split to its number of studies, in order of first appearance."""
        codes, names = self._codes()
        found, first, counts = np.unique(codes, return_index=True, return_counts=True)
        return {names[found[i]]: int(counts[i]) for i in np.argsort(first)}

    @property
    def bad(self) -> tuple[BadStudyError, ...]:
        """Studies of the whole dataset that could not be used, with the reason."""
        return tuple(BadStudyError(study_id, reason) for study_id, reason in self._bad)

    @property
    def set_aside(self) -> Mapping[str, int]:
        """Reason to number of sound studies of the whole dataset that were left out on purpose."""
        return dict(self._set_aside)

    def column(self, name: str) -> Iterator[Any]:
        """Go through ``id``, ``patient_id``, ``split`` or another plain column, in order, a few thousand at a time."""
        return cast("Iterator[Any]", self._table.column(name, self._rows))

    def split(self, name: str) -> StudyTable:
        """Return the studies of one split.

        Raises:
            UserError: no study has this split.
        """
        codes, names = self._codes()
        chosen = np.flatnonzero(codes == names.index(name)) if name in names else ()
        if not len(chosen):
            raise UserError(f"The split {name!r} has no studies", allowed=list(self.splits), got=name)
        return self.select(chosen)

    def select(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> StudyTable:
        """Return the studies at these positions, in this order."""
        chosen = np.asarray(indices, dtype=np.int64)
        return self._with_rows(chosen if self._rows is None else self._rows[chosen])

    def filter(self, keep: Callable[[Study], bool]) -> StudyTable:
        """Return the studies for which ``keep`` is true."""
        kept = np.fromiter((keep(study) for study in self), dtype=bool)
        return self.select(np.flatnonzero(kept))

    def by_id(self) -> StudyTable:
        """Return the studies in the order of their ids (by code point)."""
        columns = [batch.column("id") for batch in self._table.batches]
        if not columns:
            return self
        order = pc.sort_indices(pa.chunked_array(columns)).to_numpy()
        self._table.release()
        if self._rows is None:
            return self._with_rows(order)
        return self._with_rows(np.repeat(order, np.bincount(self._rows, minlength=len(order))[order]))

    def reports(self, target: tuple[str, ...] = ("findings",)) -> list[str]:
        """Return :meth:`Study.report` of each study, in order."""
        return [study.report(target) for study in self]

    def split_hash(self, name: str | None = None) -> str:
        """Return a hash over the sorted study ids of a split (of all studies without a name)."""
        return text_hash((self if name is None else self.split(name)).by_id().column("id"))

    def overlapping_patients(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """Find patients whose studies stand in several splits; see :func:`llmrg.studies.splits.overlapping_patients`.

        Patients are compared by 64-bit hashes first; only those that seem to overlap are looked at as text.
        """
        codes, names = self._codes()
        if len(names) < 2 or not len(codes):
            return {}
        hashes = hash_texts(self.column("patient_id"))
        order = np.argsort(hashes, kind="stable")
        in_order, codes = hashes[order], codes[order]
        del order
        starts = np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1]])
        lowest, highest = (fold.reduceat(codes, starts) for fold in (np.minimum, np.maximum))
        suspects = in_order[starts[lowest != highest]]
        if not len(suspects):
            return {}
        some = self.select(np.flatnonzero(np.isin(hashes, suspects)))
        pairs = zip(some.column("patient_id"), some.column("split"), strict=True)
        return overlapping_patients(pairs, order=tuple(self.splits))

    def _row_numbers(self, part: slice) -> Rows:
        if self._rows is None:
            return np.arange(*part.indices(len(self)))
        return self._rows[part]

    def _codes(self) -> tuple[npt.NDArray[np.uint16], tuple[str, ...]]:
        """Number of the split of each study shown, and the names by number."""
        if self._split_codes is None:
            names: dict[str, int] = {}
            codes = np.fromiter(
                (names.setdefault(name, len(names)) for name in self._table.column("split")), dtype=np.uint16
            )
            self._split_codes = codes, tuple(names)
        codes, known = self._split_codes
        return (codes if self._rows is None else codes[self._rows]), known

    def _with_rows(self, rows: Rows) -> StudyTable:
        selection = StudyTable(self._table, rows=rows, bad=self._bad, set_aside=self._set_aside)
        selection._split_codes = self._split_codes
        return selection


class HashedColumn:
    """Finds the rows of a text among many by 64-bit hashes: twelve bytes a row.

    Args:
        texts: one a row.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        hashes = hash_texts(texts)
        order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[order]
        self._rows = order.astype(np.uint32 if len(order) < 2**32 else np.int64)

    def rows(self, text: str) -> list[int]:
        """Rows whose text has this text's hash, rising; the caller compares the texts."""
        value = np.uint64(hash_text(text))
        start, end = (int(np.searchsorted(self._hashes, value, side=side)) for side in ("left", "right"))
        return cast("list[int]", self._rows[start:end].tolist())


def study_column(studies: Sequence[Study], name: str) -> Iterator[Any]:
    """Go through one plain attribute of studies (``id``, ``patient_id``, ``split``, ``language``), in order."""
    if isinstance(studies, StudyTable):
        return studies.column(name)
    return (getattr(study, name) for study in studies)


class StudyTableBuilder:
    """Collects studies into a :class:`StudyTable`.

    Args:
        chunk: studies that are Python objects at once.
        memory: a larger table (in bytes) is written to a temporary file, which is mapped into memory and has no name
            (so nothing of it stays behind).
    """

    def __init__(self, *, chunk: int = 4096, memory: int = 4 * 2**20) -> None:
        self._chunk = chunk
        self._pending: list[dict[str, Any]] = []
        self._file = ArrowFile(_SCHEMA, memory=memory)
        self._ids = HashSet()

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, study: Study) -> bool:
        """Add a study; return False, and leave it out, if its id was seen before."""
        if not self._ids.add(study.id):
            return False
        self._pending.append(_record(study))
        if len(self._pending) >= self._chunk:
            self._flush()
        return True

    def finish(self, *, bad: Sequence[tuple[str, str]] = (), set_aside: Mapping[str, int] | None = None) -> StudyTable:
        """Return the table of all studies added."""
        self._flush()
        return StudyTable(self._file.finish(), bad=bad, set_aside=set_aside)

    def __del__(self) -> None:
        self._file.abandon()

    def _flush(self) -> None:
        if self._pending:
            self._file.write(pa.RecordBatch.from_pylist(self._pending, schema=_SCHEMA))
            self._pending = []


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
        "dataset": study.dataset,
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
        dataset=record["dataset"],
    )
