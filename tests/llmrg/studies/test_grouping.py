"""Rows by key, without a dictionary of strings."""

from __future__ import annotations

import random

from llmrg.studies._grouping import rows_by_key


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
