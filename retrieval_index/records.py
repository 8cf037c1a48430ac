"""What stands behind each vector: an id, a patient, labels and whatever else the caller wants back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from retrieval_index.errors import InvalidRecordsError

__all__ = ["Record", "check_records"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """One indexed item.

    Args:
        id: its name, unique in the index.
        patient: whom it belongs to; the unit of exclusion and removal.
        labels: label name to value (``{"edema": "positive"}``), the unit of filters.
        metadata: anything JSON can hold; never looked at.
    """

    id: str
    patient: str
    labels: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        """Return the record as JSON holds it."""
        values: dict[str, Any] = {"id": self.id, "patient": self.patient}
        if self.labels:
            values["labels"] = dict(self.labels)
        if self.metadata:
            values["metadata"] = dict(self.metadata)
        return values


def check_records(records: Iterable[Record], *, vectors: int, taken: Iterable[str] = ()) -> tuple[Record, ...]:
    """Return the records as a tuple if they fit ``vectors`` vectors.

    Args:
        records: one a vector, in the same order.
        vectors: how many vectors there are.
        taken: ids that are in the index already.

    Raises:
        InvalidRecordsError: wrong count, an empty or repeated id, or an empty patient.
    """
    records = tuple(records)
    if len(records) != vectors:
        raise InvalidRecordsError(f"{vectors} vectors came with {len(records)} records; each vector needs its record")
    seen = set(taken)
    for position, record in enumerate(records):
        if not isinstance(record.id, str) or not record.id:
            raise InvalidRecordsError(f"record {position} has no id (a string that is not empty)")
        if not isinstance(record.patient, str) or not record.patient:
            raise InvalidRecordsError(f"record {record.id!r} has no patient (a string that is not empty)")
        if record.id in seen:
            raise InvalidRecordsError(f"the id {record.id!r} occurs twice; ids are unique in an index")
        if not all(isinstance(name, str) and isinstance(value, str) for name, value in record.labels.items()):
            raise InvalidRecordsError(f"labels of record {record.id!r} must map strings to strings")
        seen.add(record.id)
    return records
