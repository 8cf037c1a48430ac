"""What is planted is found, in every spelling and place; what is not there is not found; nothing is quoted."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from tokenizers import pre_tokenizers

from llmrg.systems.byte_scan import Needles, scan_directory, spellings

SENTENCE = "右肺中叶见斑片状密影，边界不清。"
ENGLISH = "There is a small left apical pneumothorax."
STUDY = "study-A/17"


def raw(content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "model.bin").write_bytes(os.urandom(1001) + content + os.urandom(503))


def zipped(folder: Path) -> None:
    with zipfile.ZipFile(folder / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("reports.txt", SENTENCE * 3)


PLACES: dict[str, Callable[[Path], object]] = {
    "utf-8": raw(SENTENCE.encode()),
    "utf-16": raw(SENTENCE.encode("utf-16-le")),
    "utf-16-be": raw(SENTENCE.encode("utf-16-be")),
    "gbk": raw(SENTENCE.encode("gbk")),
    "json": lambda folder: (folder / "x.json").write_text(json.dumps([{"report": "aa" + SENTENCE}])),
    "gzip": lambda folder: (folder / "x.gz").write_bytes(gzip.compress(SENTENCE.encode() * 2)),
    "zlib": lambda folder: (folder / "x").write_bytes(zlib.compress(ENGLISH.encode() * 2)),
    "bz2": lambda folder: (folder / "x").write_bytes(bz2.compress(ENGLISH.encode("utf-16-le"))),
    "xz": lambda folder: (folder / "x").write_bytes(lzma.compress(SENTENCE.encode())),
    "zip": zipped,
    "safetensors": lambda folder: save_file({"a": np.zeros(3)}, folder / "x.safetensors", {"note": ENGLISH}),
    "arrow": lambda folder: feather.write_feather(
        pa.table({"report": ["x", ENGLISH]}), folder / "x.arrow", compression="uncompressed"
    ),
    "identifier": lambda folder: (folder / "x.jsonl").write_text(json.dumps({"study": STUDY})),
    "short identifier": lambda folder: (folder / "x.yaml").write_text("patients: ['0042']\n"),
    "name of a file": lambda folder: (folder / f"{ENGLISH}.txt").write_text(""),
    "byte-level vocabulary": lambda folder: (folder / "tokenizer.json").write_text(
        json.dumps({pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(SENTENCE[:8])[0][0]: 7})
    ),
}


def needles() -> Needles:
    return Needles(words=[SENTENCE, SENTENCE[:8], ENGLISH, "另一句谁也没有写过的话。"], identifiers=[STUDY, "0042"])


@pytest.mark.parametrize("place", PLACES)
def test_what_is_planted_is_found(tmp_path: Path, place: str) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "innocent.json").write_text(json.dumps({"size": 42, "also": 42.0042, "hash": "a0042f"}))
    (tmp_path / "weights.safetensors").write_bytes(os.urandom(100_000))
    assert scan_directory(tmp_path, needles()) == []
    PLACES[place](tmp_path / "deep" / "er")
    (found,) = scan_directory(tmp_path, needles())
    assert found.startswith("deep/er/")


def test_across_the_border_of_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmrg.systems.byte_scan._CHUNK", 64)
    for shift in range(0, 64, 5):
        (tmp_path / "x").write_bytes(b"\x00" * (40 + shift) + ENGLISH.encode() + b"\x00" * 99)
        assert scan_directory(tmp_path, needles()) == ["x"], shift


def test_numbers_as_identifiers_are_no_figures(tmp_path: Path) -> None:
    """An id of eight digits stands in many a figure and hash; as a quoted string it is an id."""
    numbers = Needles(identifiers=["20190417"])
    (tmp_path / "log.json").write_text('{"loss": 0.4520190417, "hash": "ab20190417ff"}')
    assert scan_directory(tmp_path, numbers) == []
    (tmp_path / "log.json").write_text('{"study_id": "20190417"}')
    assert scan_directory(tmp_path, numbers) == ["log.json"]
    (tmp_path / "log.json").write_text("{}")
    (tmp_path / "x.faiss").write_bytes(b"\x01\x0220190417\x03")
    assert scan_directory(tmp_path, numbers) == ["x.faiss"]


def test_a_broken_archive_is_searched_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"PK\x03\x04 not an archive " + ENGLISH.encode())
    (tmp_path / "y").write_bytes(b"\x1f\x8b not an archive either")
    assert scan_directory(tmp_path, needles()) == ["x"]


@settings(deadline=None)
@given(text=st.text(min_size=8, max_size=30), before=st.binary(max_size=20), after=st.binary(max_size=20))
def test_any_spelling_anywhere(text: str, before: bytes, after: bytes) -> None:
    wanted = Needles(words=[text])
    for form in spellings(text):
        assert wanted.within(before + form + after, "binary") >= 1


def test_nothing_to_search() -> None:
    assert Needles().within(b"anything at all", "text") == 0
    assert len(Needles(words=["short"])) == 0
