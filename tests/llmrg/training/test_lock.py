"""A lock ends with its process, is never stale, and leaves no file."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from llmrg.errors import UserError
from llmrg.training import lock as lock_module
from llmrg.training.lock import FolderLock


def test_one_writer_or_many_readers(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path / "run"), FolderLock(tmp_path / "run")
    assert first.try_acquire()
    assert not second.try_acquire()
    assert not second.try_acquire(shared=True)
    assert f"process {os.getpid()} on" in second.owner()
    assert first.try_acquire(shared=True)
    assert second.try_acquire(shared=True)
    assert not second.try_acquire()
    assert second.try_acquire(shared=True)
    first.release()
    assert second.try_acquire()
    second.release()
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".run.lock").write_text(json.dumps({"pid": 2**22 + 1, "host": "elsewhere"}))
    lock = FolderLock(tmp_path / "run")
    lock.acquire_now()
    assert json.loads((tmp_path / ".run.lock").read_text())["pid"] == os.getpid()
    lock.release()


def test_waiting_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second = FolderLock(tmp_path / "run"), FolderLock(tmp_path / "run")
    first.acquire()
    timer = threading.Timer(0.5, first.release)
    timer.start()
    second.acquire()
    timer.join()
    assert f"which process {os.getpid()}" in caplog.text
    second.release()


def test_a_disk_without_locks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unsupported(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    lock = FolderLock(tmp_path / "run")
    lock.acquire_now()
    assert "knows no locks" in caplog.text
    lock.release()


def test_readers_of_a_folder_that_nobody_can_write_need_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module.os, "access", lambda path, mode: False)
    assert FolderLock(tmp_path / "run").try_acquire(shared=True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write here"):
        FolderLock(tmp_path / "file" / "run").acquire_now()
