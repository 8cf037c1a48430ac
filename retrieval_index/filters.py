"""Filters over labels: which records a search may return."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval_index.errors import InvalidFilterError
from retrieval_index.records import Record

__all__ = ["Condition", "LabelColumns", "LabelFilter", "Where", "read_filter"]

Condition = tuple[str, str]
"""A label and the value it has to have."""


@dataclass(frozen=True, kw_only=True)
class LabelFilter:
    """Keep the records whose labels fit; a label that a record does not have has no value at all.

    "Shows an effusion" is ``LabelFilter(all_of=(("effusion", "positive"),))``. "Shows none" is
    ``LabelFilter(none_of=(("effusion", "positive"),))``: it also keeps records that never speak of it, which
    ``all_of=(("effusion", "negative"),)`` would leave out.

    Args:
        all_of: each of these conditions holds.
        any_of: at least one of these holds (no conditions: no demand).
        none_of: none of these holds.
    """

    all_of: tuple[Condition, ...] = ()
    any_of: tuple[Condition, ...] = ()
    none_of: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        for part in fields(self):
            object.__setattr__(self, part.name, tuple((name, value) for name, value in getattr(self, part.name)))

    def __call__(self, record: Record) -> bool:
        """Tell whether the record fits."""
        labels = record.labels
        return (
            all(labels.get(name) == value for name, value in self.all_of)
            and (not self.any_of or any(labels.get(name) == value for name, value in self.any_of))
            and not any(labels.get(name) == value for name, value in self.none_of)
        )


class LabelColumns:
    """Which records have which label value, as columns, so that a filter costs no look at each record.

    Args:
        records: the records, in the order of the rows.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._count = len(records)
        rows: dict[Condition, list[int]] = defaultdict(list)
        for row, record in enumerate(records):
            for condition in record.labels.items():
                rows[condition].append(row)
        self._rows = dict(rows)

    def mask(self, wanted: LabelFilter) -> npt.NDArray[np.bool_]:
        """Return which rows ``[N]`` fit the filter."""
        result = np.ones(self._count, dtype=bool)
        for condition in wanted.all_of:
            result &= self._having((condition,))
        if wanted.any_of:
            result &= self._having(wanted.any_of)
        return result & ~self._having(wanted.none_of)

    def _having(self, conditions: Sequence[Condition]) -> npt.NDArray[np.bool_]:
        column = np.zeros(self._count, dtype=bool)
        for condition in conditions:
            column[self._rows.get(condition, [])] = True
        return column


Where = LabelFilter | Mapping[str, Mapping[str, str]] | Callable[[Record], bool]
"""A filter: a :class:`LabelFilter`, the same as a mapping, or any function of a record."""


def read_filter(where: Where) -> LabelFilter | Callable[[Record], bool]:
    """Return a filter in its callable form.

    Args:
        where: a filter. A mapping has the keys of :class:`LabelFilter`, each with a mapping from label to value:
            ``{"all_of": {"edema": "positive"}, "none_of": {"effusion": "positive"}}``.

    Raises:
        InvalidFilterError: the mapping has an unknown key or something other than labels and values.
    """
    if isinstance(where, LabelFilter):
        return where
    if isinstance(where, Mapping):
        allowed = [field.name for field in fields(LabelFilter)]
        conditions: dict[str, Any] = {}
        for key, labels in where.items():
            if key not in allowed:
                raise InvalidFilterError(f"a filter has no part {key!r}; allowed: {', '.join(allowed)}")
            if not isinstance(labels, Mapping) or not all(isinstance(value, str) for value in labels.values()):
                raise InvalidFilterError(f"the filter part {key!r} must map label names to values (strings)")
            conditions[key] = tuple(sorted(labels.items()))
        return LabelFilter(**conditions)
    if callable(where):
        return where
    raise InvalidFilterError(f"a filter is a LabelFilter, a mapping or a function, not {type(where).__name__}")
