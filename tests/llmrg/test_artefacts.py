"""Artefacts appear whole or not at all, and are refused where they do not fit."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llmrg import artefacts
from llmrg.artefacts import (
    COMPLETE,
    MANIFEST,
    Manifest,
    atomic_directory,
    atomic_file,
    file_hash,
    is_complete,
    read_manifest,
    text_hash,
    tree_hash,
    write_text,
)
from llmrg.errors import UserError


def build(target: Path, text: str = "one") -> None:
    with atomic_directory(target) as folder:
        (folder / "weights.safetensors").write_text(text, encoding="utf-8")
        Manifest(kind="memory", producer="test").write(folder)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith((".tmp", ".old"))]


def test_a_finished_directory_is_complete(tmp_path: Path) -> None:
    build(tmp_path / "deep" / "memory")
    assert is_complete(tmp_path / "deep" / "memory")
    assert leftovers(tmp_path / "deep") == []


def test_a_failing_block_leaves_the_old_one(tmp_path: Path) -> None:
    build(tmp_path / "memory", "old")
    with pytest.raises(RuntimeError, match="broken"), atomic_directory(tmp_path / "memory") as folder:
        (folder / "weights.safetensors").write_text("half", encoding="utf-8")
        raise RuntimeError("broken")
    assert (tmp_path / "memory" / "weights.safetensors").read_text(encoding="utf-8") == "old"
    assert leftovers(tmp_path) == []


def test_a_new_one_takes_the_old_ones_place(tmp_path: Path) -> None:
    build(tmp_path / "memory", "old")
    (tmp_path / "memory" / "stale.txt").write_text("x", encoding="utf-8")
    build(tmp_path / "memory", "new")
    assert (tmp_path / "memory" / "weights.safetensors").read_text(encoding="utf-8") == "new"
    assert not (tmp_path / "memory" / "stale.txt").exists()
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("call", range(6))
def test_killed_at_any_point_nothing_half_written_counts(tmp_path: Path, call: int) -> None:
    """The process kills itself at its n-th flush or rename; afterwards the target is whole (old or new) or absent."""
    build(tmp_path / "memory", "old")
    script = f"""
import os, signal
from pathlib import Path
from llmrg import artefacts
count = 0
def counted(original):
    def run(*args):
        global count
        if count == {call}:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
        return original(*args)
    return run
artefacts.os.fsync = counted(os.fsync)
artefacts.os.replace = counted(os.replace)
with artefacts.atomic_directory(Path({str(tmp_path / "memory")!r})) as folder:
    (folder / "weights.safetensors").write_text("new")
    artefacts.Manifest(kind="memory", producer="test").write(folder)
"""
    killed = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    if is_complete(tmp_path / "memory"):
        assert (tmp_path / "memory" / "weights.safetensors").read_text(encoding="utf-8") in ("old", "new")
    else:
        assert not (tmp_path / "memory").exists()
    build(tmp_path / "memory", "again")
    assert (tmp_path / "memory" / "weights.safetensors").read_text(encoding="utf-8") == "again"


def test_manifest_round_trip_and_unknown_keys(tmp_path: Path) -> None:
    manifest = Manifest(
        kind="index",
        producer="llmrg index build",
        configuration={"a": [1, {"b": None}]},
        encoder_hash="e",
        split_hash="s",
        languages=("zh", "en"),
        contains_patient_text=True,
        details={"count": 3},
    )
    with atomic_directory(tmp_path / "index") as folder:
        manifest.write(folder)
        values = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        write_text(folder / MANIFEST, json.dumps({**values, "of_a_later_version": 1}))
    assert read_manifest(tmp_path / "index") == manifest


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / COMPLETE).unlink(), "incomplete"),
        (lambda folder: (folder / MANIFEST).unlink(), "incomplete"),
        (lambda folder: (folder / MANIFEST).write_text('{"kind": '), "cannot be read"),
        (lambda folder: (folder / MANIFEST).write_text("{}"), "cannot be read"),
        (lambda folder: (folder / MANIFEST).write_bytes(b"\xff\xfe"), "cannot be read"),
    ],
)
def test_a_broken_artefact_is_refused(tmp_path: Path, break_it, message: str) -> None:  # type: ignore[no-untyped-def]
    build(tmp_path / "memory")
    break_it(tmp_path / "memory")
    with pytest.raises(UserError, match=message):
        read_manifest(tmp_path / "memory")


def test_a_missing_artefact_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_manifest(tmp_path / "nowhere")


def test_require_names_what_does_not_fit() -> None:
    manifest = Manifest(kind="memory", producer="p", encoder_hash="abc", details={"dimension": 8})
    manifest.require(kind="memory", where="m", encoder_hash="abc", dimension=8)
    with pytest.raises(UserError, match="kind 'memory', but 'index'"):
        manifest.require(kind="index", where="m")
    with pytest.raises(UserError, match="encoder_hash is 'abc', but 'xyz'"):
        manifest.require(kind="memory", where="m", encoder_hash="xyz")
    with pytest.raises(UserError, match="dimension is 8, but 16"):
        manifest.require(kind="memory", where="m", dimension=16)
    with pytest.raises(UserError, match="vocabulary is None"):
        manifest.require(kind="memory", where="m", vocabulary="cn48")


def test_text_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "sub" / "a.txt", "肺\n")
    assert (tmp_path / "sub" / "a.txt").read_bytes() == "肺\n".encode()

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artefacts.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_text(tmp_path / "sub" / "a.txt", "other")
    assert (tmp_path / "sub" / "a.txt").read_bytes() == "肺\n".encode()
    assert leftovers(tmp_path / "sub") == []


def test_a_file_appears_when_all_of_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.csv"
    with atomic_file(path, encoding="gb18030") as file:
        file.write("气胸\r\n")
        assert not path.exists()
    assert path.read_bytes() == "气胸\r\n".encode("gb18030")
    with pytest.raises(ZeroDivisionError), atomic_file(path) as file:
        file.write("half")
        raise ZeroDivisionError
    assert path.read_bytes() == "气胸\r\n".encode("gb18030")
    assert [one.name for one in path.parent.iterdir()] == ["rows.csv"]


def test_a_place_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="Cannot write here"):
        write_text(tmp_path / "file" / "a.txt", "x")
    with pytest.raises(UserError, match="Cannot write here"), atomic_directory(tmp_path / "file" / "memory"):
        pass


def test_hashes_are_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_hash(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert text_hash(["a", "b"]) == hashlib.sha256(b"a\0b\0").hexdigest()
    assert text_hash(["ab"]) != text_hash(["a", "b"])


def test_tree_hash_sees_names_and_contents_not_places(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "w.safetensors").write_bytes(b"1")
        (tmp_path / name / "b.json").write_bytes(b"2")
    same = tree_hash(tmp_path / "one")
    assert same == tree_hash(tmp_path / "two")
    weights = tree_hash(tmp_path / "one", suffixes=[".safetensors"])
    (tmp_path / "two" / "b.json").write_bytes(b"3")
    assert tree_hash(tmp_path / "two") != same
    assert tree_hash(tmp_path / "two", suffixes=[".safetensors"]) == weights
    os.rename(tmp_path / "one" / "b.json", tmp_path / "one" / "c.json")  # noqa: PTH104
    assert tree_hash(tmp_path / "one") != same
