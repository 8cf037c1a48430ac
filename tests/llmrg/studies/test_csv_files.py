"""CSV files of any size and row length, read through a mapped file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from llmrg.studies import _csv_files
from llmrg.studies._csv_files import read_csv, read_csv_rows


@pytest.mark.parametrize("length", [10, 3_000])
def test_rows_may_be_longer_than_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(_csv_files, "BLOCK", 512)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    file = tmp_path / "table.csv"
    texts = ["x" * (length * (number % 2) + 1) + f"\n{number}" for number in range(500)]
    file.write_text("id,text\n" + "".join(f'{number},"{text}"\n' for number, text in enumerate(texts)))
    table = read_csv(file)
    assert table.column("text").to_pylist() == texts
    rows, schema = read_csv_rows(file, columns=["text"])
    assert schema.names == ["text"]
    assert list(rows.column("text")) == texts
    assert not list(scratch.iterdir())
