"""Rows of a table that belong together, found by numbers instead of a dictionary of strings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmrg.studies._hashing import hash_text

__all__ = ["records_of", "rows_by_key"]


def rows_by_key(keys: Iterable[str]) -> Iterator[npt.NDArray[np.int64]]:
    """Give the rows of each key, keys in order of first appearance; rows with an empty key are left out.

    Keys are compared by their 64-bit hash; a caller to whom one mistake in 10^7 large tables matters compares the keys
    of the rows it gets.

    Args:
        keys: one a row.
    """
    hashes = np.fromiter((hash_text(key) if key else 0 for key in keys), dtype=np.uint64)
    count = len(hashes)
    number = np.uint32 if count < 2**32 else np.int64  # many rows: arrays as small as can be, and not kept for long
    order = np.argsort(hashes, kind="stable").astype(number)
    hashes = hashes[order]
    starts = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]]).astype(number) if count else order
    if count and hashes[0] == 0:
        starts = starts[1:]
    del hashes
    groups = np.argsort(order[starts], kind="stable").astype(number)
    for group in groups:
        end = starts[group + 1] if group + 1 < len(starts) else count
        yield order[starts[group] : end].astype(np.int64)


def records_of(table: pa.Table, groups: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Give each group's rows as records, in order; only a thousand groups are Python objects at once.

    Args:
        table: the rows.
        groups: key to numbers of its rows.
    """
    keys = list(groups)
    for start in range(0, len(keys), 1000):
        chosen = keys[start : start + 1000]
        records = iter(table.take([number for key in chosen for number in groups[key]]).to_pylist())
        for key in chosen:
            yield key, [next(records) for _ in groups[key]]
