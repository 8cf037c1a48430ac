"""Rows by key, without a dictionary of strings."""

from __future__ import annotations

import random

import pyarrow as pa

from llmrg.studies._grouping import records_of, rows_by_key


def test_groups_come_in_the_order_of_their_first_row() -> None:
    keys = random.Random(1).choices(["", *"abcdefghijk"], k=300)
    expected: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        if key:
            expected.setdefault(key, []).append(row)
    assert [rows.tolist() for rows in rows_by_key(keys)] == list(expected.values())


def test_nothing_to_group() -> None:
    assert list(rows_by_key([])) == []
    assert list(rows_by_key(["", ""])) == []
    assert [rows.tolist() for rows in rows_by_key(["a"])] == [[0]]


def test_records_of_groups_come_in_order_and_whole() -> None:
    """More groups than are read at once, rows interleaved."""
    count = 2500
    table = pa.table({"row": list(range(2 * count))})
    groups = {str(key): [key, key + count] for key in range(count)}
    found = list(records_of(table, groups))
    assert [key for key, _ in found] == [str(key) for key in range(count)]
    assert all([record["row"] for record in records] == [int(key), int(key) + count] for key, records in found)
