"""The index: vectors in, the most similar records out."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval_index._faiss import gpu_count, load_faiss
from retrieval_index._selection import search_restricted
from retrieval_index._storage import (
    INDEX,
    RECORDS,
    new_directory,
    read_checked_manifest,
    read_records,
    write_manifest,
    write_records,
)
from retrieval_index._structures import append, attempts, create, drop
from retrieval_index._vectors import unit_vectors
from retrieval_index.config import GpuUse, IndexConfig
from retrieval_index.errors import (
    DamagedIndexError,
    FaissMissingError,
    InvalidFilterError,
    InvalidRecordsError,
    RetrievalIndexError,
)
from retrieval_index.filters import LabelColumns, LabelFilter, Where, read_filter
from retrieval_index.hits import Hits
from retrieval_index.records import Record, check_records

__all__ = ["RetrievalIndex"]

logger = logging.getLogger(__name__)

_OWN_MANIFEST_KEYS = ("kind", "configuration", "details", "encoder_hash")


class RetrievalIndex:
    """Vectors of length 1 with a record each, searched by inner product (cosine).

    Make one with :meth:`build` or :meth:`load`. Rows of the index are the places in :attr:`records`; removing records
    closes the gaps, so rows hold only until the next removal, ids hold always.
    """

    def __init__(
        self,
        structure: Any,
        records: Sequence[Record],
        *,
        config: IndexConfig,
        encoder_hash: str | None = None,
        manifest: Mapping[str, Any] | None = None,
    ) -> None:
        self._structure = structure
        self._records = tuple(records)
        self._config = config
        self._encoder_hash = encoder_hash
        self._manifest = dict(manifest or {})
        self._accelerated: Any = None
        self._uses_gpu = _decide_gpu(config)
        self._note_change()

    @classmethod
    def build(
        cls,
        vectors: npt.ArrayLike,
        records: Iterable[Record],
        *,
        config: IndexConfig | None = None,
        encoder_hash: str | None = None,
    ) -> RetrievalIndex:
        """Build an index.

        Args:
            vectors: ``[N, D]``, of any length but 0; they are normalised. ``[0, D]`` makes an empty index to add to.
            records: one a vector, in the same order.
            config: settings; flat by default.
            encoder_hash: names the encoder that made the vectors; :meth:`load` compares it.

        Raises:
            InvalidVectorsError: wrong shape, NaN, infinity or length 0; none where ``ivf_pq`` needs some to learn from.
            InvalidRecordsError: records do not fit the vectors or repeat an id.
            InvalidConfigError: settings that these vectors do not allow.
            FaissMissingError: FAISS is not installed, or ``gpu="always"`` without a GPU.
        """
        config = config or IndexConfig()
        unit = unit_vectors(vectors)
        checked = check_records(records, vectors=len(unit))
        return cls(create(unit, config), checked, config=config, encoder_hash=encoder_hash)

    def __len__(self) -> int:
        return len(self._records)

    @property
    def records(self) -> tuple[Record, ...]:
        """The records; a hit's row is a place in here."""
        return self._records

    @property
    def dimension(self) -> int:
        """Dimension of the vectors."""
        return int(self._structure.d)

    @property
    def config(self) -> IndexConfig:
        """The settings it was built with."""
        return self._config

    @property
    def encoder_hash(self) -> str | None:
        """The encoder that made the vectors, as :meth:`build` was told."""
        return self._encoder_hash

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest it was loaded with (empty for an index that was just built)."""
        return dict(self._manifest)

    def add(self, vectors: npt.ArrayLike, records: Iterable[Record]) -> None:
        """Add vectors with their records; an ``ivf_pq`` index keeps the cells it learned when it was built.

        Args:
            vectors: ``[N, D]``.
            records: one a vector; their ids are new to the index.

        Raises:
            InvalidVectorsError: see :meth:`build`.
            InvalidRecordsError: see :meth:`build`.
        """
        unit = unit_vectors(vectors, dimension=self.dimension)
        checked = check_records(records, vectors=len(unit), taken=self._row_of)
        append(self._structure, unit, self._config)
        self._records += checked
        self._note_change()

    def remove(self, ids: Iterable[str]) -> int:
        """Erase records and their vectors (an ``hnsw`` graph is built again); return how many.

        Raises:
            InvalidRecordsError: an id that is not in the index; nothing is removed then.
        """
        if isinstance(ids, str):
            raise InvalidRecordsError("remove takes a collection of ids, not one string")
        wanted = set(ids)
        missing = wanted - self._row_of.keys()
        if missing:
            raise InvalidRecordsError(f"{len(missing)} ids are not in the index, for example {min(missing)!r}")
        return self._remove_rows([self._row_of[id_] for id_ in wanted])

    def remove_patient(self, patient: str) -> int:
        """Erase all records of a patient; return how many there were (0 for an unknown patient)."""
        return self._remove_rows(self._rows_of_patient.get(patient, np.zeros(0, dtype=np.int64)))

    def copy(self) -> RetrievalIndex:
        """Return an index of its own with the same vectors and records; changing one leaves the other as it is."""
        return RetrievalIndex(
            load_faiss().clone_index(self._structure),
            self._records,
            config=self._config,
            encoder_hash=self._encoder_hash,
            manifest=self._manifest,
        )

    def stored_vectors(self) -> npt.NDArray[np.float32]:
        """Return the unit vectors ``[N, D]`` in the order of the records (as ``ivf_pq`` stores them: approximately)."""
        if len(self) == 0:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.asarray(self._structure.reconstruct_n(0, len(self)), dtype=np.float32)

    def search(
        self,
        vectors: npt.ArrayLike,
        k: int,
        *,
        exclude_patients: Sequence[str | Collection[str] | None] | None = None,
        where: Where | Sequence[Where | None] | None = None,
    ) -> Hits:
        """Return the ``k`` most similar admissible records of each query.

        Exclusions and filters are exact for every kind of index: nothing inadmissible is returned, and fewer than
        ``k`` hits mean that there are no more admissible records. (Which admissible ones are found, and the scores of
        ``ivf_pq``, are approximate for the approximate kinds.)

        Args:
            vectors: queries ``[Q, D]``.
            k: hits wanted a query, at least 1.
            exclude_patients: for each query the patient or patients it must not get, or None.
            where: one filter for all queries, or for each query a filter or None (see :class:`LabelFilter`).

        Raises:
            InvalidVectorsError: wrong shape, NaN, infinity or length 0.
            InvalidFilterError: ``k`` below 1, or exclusions or filters that are not one a query.
        """
        queries = unit_vectors(vectors, dimension=self.dimension, name="queries")
        if not isinstance(k, (int, np.integer)) or isinstance(k, bool) or k < 1:
            raise InvalidFilterError(f"k is {k!r}; it must be an integer of at least 1")
        excluded = self._excluded_rows(exclude_patients, len(queries))
        groups = _groups(where, len(queries))
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        steps = attempts(self._structure, self._config, accelerated=self._gpu_copy())
        for where_one, members in groups:
            allowed = None if where_one is None else self._allowed(where_one)
            scores[members], rows[members] = search_restricted(
                steps,
                queries[members],
                int(k),
                count=len(self),
                allowed=allowed,
                excluded=[excluded[q] for q in members],
            )
        ids = np.full(rows.shape, None, dtype=object)
        ids[rows >= 0] = self._ids[rows[rows >= 0]]
        return Hits(ids=ids, scores=scores, rows=rows)

    def save(self, directory: str | Path, *, manifest: Mapping[str, Any] | None = None) -> None:
        """Save the index; the directory appears whole or not at all, and takes the place of an older one.

        It holds ``index.faiss``, ``records.jsonl``, ``manifest.json`` (kind ``index``, configuration, encoder hash,
        counts, sha256 of each file) and ``COMPLETE`` (sha256 of the manifest).

        Args:
            directory: where to.
            manifest: further entries of the manifest (JSON values: producer, split hash, languages, ...).

        Raises:
            RetrievalIndexError: it cannot be written, or holds values that JSON cannot.
        """
        taken = sorted(set(manifest or {}) & set(_OWN_MANIFEST_KEYS))
        if taken:
            raise RetrievalIndexError(f"the manifest entries {', '.join(taken)} are the index's own")
        with new_directory(Path(directory)) as temporary:
            load_faiss().write_index(self._structure, str(temporary / INDEX))
            write_records(temporary / RECORDS, self._records)
            details = {
                "count": len(self),
                "dimension": self.dimension,
                "patients": len(self._rows_of_patient),
                "similarity": "inner product of unit vectors",
            }
            values = {"producer": "retrieval_index", **(manifest or {})}
            values |= {"kind": "index", "configuration": asdict(self._config), "encoder_hash": self._encoder_hash}
            write_manifest(temporary, {**values, "details": details})

    @classmethod
    def load(
        cls, directory: str | Path, *, encoder_hash: str | None = None, gpu: GpuUse | None = None
    ) -> RetrievalIndex:
        """Load a saved index after checking every file.

        Args:
            directory: what :meth:`save` wrote.
            encoder_hash: the encoder that will make the queries; an index of another encoder is refused.
            gpu: another choice than the saved one (``IndexConfig.gpu``).

        Raises:
            DamagedIndexError: incomplete, altered, inconsistent, or made with another encoder.
            FaissMissingError: FAISS is not installed.
        """
        directory = Path(directory)
        faiss = load_faiss()
        manifest = read_checked_manifest(directory)
        found = manifest.get("encoder_hash")
        if encoder_hash is not None and found != encoder_hash:
            raise DamagedIndexError(
                f"the index at {directory} was made with encoder {found!r}, but the queries come from "
                f"{encoder_hash!r}; build it again"
            )
        try:
            config = IndexConfig(**manifest["configuration"])
            count, dimension = int(manifest["details"]["count"]), int(manifest["details"]["dimension"])
            structure = faiss.read_index(str(directory / INDEX))
        except (TypeError, KeyError, ValueError, RuntimeError) as error:
            raise DamagedIndexError(f"the index at {directory} cannot be read by this version") from error
        records = read_records(directory / RECORDS)
        if not len(records) == structure.ntotal == count or structure.d != dimension:
            raise DamagedIndexError(f"vectors, records and manifest of the index at {directory} do not agree")
        checked = check_records(records, vectors=count)
        config = config if gpu is None else replace(config, gpu=gpu)
        return cls(structure, checked, config=config, encoder_hash=found, manifest=manifest)

    def _note_change(self) -> None:
        rows: dict[str, list[int]] = defaultdict(list)
        for row, record in enumerate(self._records):
            rows[record.patient].append(row)
        self._rows_of_patient = {patient: np.array(places, dtype=np.int64) for patient, places in rows.items()}
        self._row_of = {record.id: row for row, record in enumerate(self._records)}
        self._ids = np.array([record.id for record in self._records], dtype=object)
        self._columns: LabelColumns | None = None
        self._accelerated = None

    def _allowed(self, where: Where) -> npt.NDArray[np.bool_]:
        keep = read_filter(where)
        if not isinstance(keep, LabelFilter):
            return np.fromiter((bool(keep(record)) for record in self._records), dtype=bool, count=len(self))
        if self._columns is None:
            self._columns = LabelColumns(self._records)
        return self._columns.mask(keep)

    def _remove_rows(self, rows: Any) -> int:
        keep = np.ones(len(self), dtype=bool)
        keep[np.asarray(rows, dtype=np.int64)] = False
        gone = int((~keep).sum())
        if gone:
            self._structure = drop(self._structure, keep, self._config)
            self._records = tuple(record for record, kept in zip(self._records, keep, strict=True) if kept)
            self._note_change()
        return gone

    def _excluded_rows(
        self, exclude_patients: Sequence[str | Collection[str] | None] | None, queries: int
    ) -> list[npt.NDArray[np.int64]]:
        nothing = np.zeros(0, dtype=np.int64)
        if exclude_patients is None:
            return [nothing] * queries
        if isinstance(exclude_patients, str) or len(exclude_patients) != queries:
            raise InvalidFilterError(
                f"exclude_patients must be a sequence with one entry for each of the {queries} queries"
            )
        result = []
        for entry in exclude_patients:
            patients = () if entry is None else (entry,) if isinstance(entry, str) else set(entry)
            found = [self._rows_of_patient[patient] for patient in patients if patient in self._rows_of_patient]
            result.append(np.sort(np.concatenate(found)) if found else nothing)
        return result

    def _gpu_copy(self) -> Any:
        if self._uses_gpu and self._accelerated is None and len(self):
            try:
                self._accelerated = load_faiss().index_cpu_to_all_gpus(self._structure)
            except RuntimeError as error:
                # FAISS's GPU kernels take only some code sizes of ivf_pq, and memory can be short.
                if self._config.gpu == "always":
                    raise FaissMissingError("FAISS cannot hold this index on a GPU; use gpu=auto or never") from error
                logger.warning("FAISS cannot hold this index on a GPU; it is searched without one")
                self._uses_gpu = False
        return self._accelerated


def _decide_gpu(config: IndexConfig) -> bool:
    if config.gpu == "never" or config.kind == "hnsw":
        return False
    found = gpu_count() > 0
    if config.gpu == "always" and not found:
        raise FaissMissingError("gpu is 'always', but FAISS sees no GPU; install the extra [gpu] or use gpu=auto")
    return found


def _groups(where: Where | Sequence[Where | None] | None, queries: int) -> list[tuple[Where | None, list[int]]]:
    """Return the distinct filters, each with the queries that it is for."""
    if where is None or callable(where) or isinstance(where, Mapping):
        return [(where, list(range(queries)))] if queries else []
    if isinstance(where, str) or not isinstance(where, Sequence) or len(where) != queries:
        raise InvalidFilterError(f"where must be one filter, or a sequence with one for each of the {queries} queries")
    members: dict[Any, list[int]] = defaultdict(list)
    for query, one in enumerate(where):
        members[None if one is None else read_filter(one)].append(query)
    return list(members.items())
