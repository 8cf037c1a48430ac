"""Arrow rows in memory or in a nameless mapped file, and identifiers as numbers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from llmrg.studies._arrow_file import ArrowFile, ArrowRows
from llmrg.studies._hashing import HashSet, hash_text

SCHEMA = pa.schema([("number", pa.int64()), ("words", pa.list_(pa.string()))])


@pytest.fixture(params=[0, 2**20], ids=["file", "memory"])
def arrow_rows(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArrowRows:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file = ArrowFile(SCHEMA, memory=request.param)
    for start in range(0, 100, 7):
        rows = [{"number": n, "words": [str(n)] * (n % 3)} for n in range(start, min(start + 7, 100))]
        file.write(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
    rows = file.finish()
    assert not list(tmp_path.iterdir())
    return rows


def test_rows_come_in_the_order_asked_for(arrow_rows: ArrowRows) -> None:
    assert len(arrow_rows) == 100
    order = np.random.default_rng(0).permutation(100)
    for rows in (order, np.arange(100), np.arange(5, 60), order[:1], order[:0], np.array([6, 7, 7, 6])):
        found = arrow_rows.take(rows)
        assert [record["number"] for record in found] == rows.tolist()
        assert [len(record["words"]) for record in found] == (rows % 3).tolist()
        arrow_rows.release()
        assert list(arrow_rows.column("number", rows, at_once=3)) == rows.tolist()
    assert list(arrow_rows.column("number", at_once=4)) == list(range(100))


def test_what_is_abandoned_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file = ArrowFile(SCHEMA, memory=0)
    file.write(pa.RecordBatch.from_pylist([{"number": 1, "words": []}], schema=SCHEMA))
    assert list(tmp_path.iterdir())
    file.abandon()
    assert not list(tmp_path.iterdir())


def test_a_set_of_hashes_is_a_set() -> None:
    words = [str(number * number % 5003) for number in range(20_000)]
    ours, reference = HashSet(), set()
    for word in words:
        assert ours.add(word) == (word not in reference)
        reference.add(word)
    assert len(ours) == len(reference)
    assert hash_text("研究") != hash_text("研")
