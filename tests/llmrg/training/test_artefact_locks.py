"""An artefact is built once, by one process, and never replaced while another uses it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from llmrg.errors import UserError
from llmrg.training import artefact_locks
from llmrg.training.artefact_locks import ArtefactLocks
from llmrg.training.lock import FolderLock

STAGES = ("language_model", "memory")


class Builder:
    """Builds what is missing, slowly, and notes it."""

    def __init__(self, folder: Path, stages: tuple[str, ...] = STAGES, *, fits: str = "a") -> None:
        self.folder, self.stages, self.fits = folder, stages, fits
        self.built: list[str] = []

    def missing(self) -> list[str]:
        paths = {stage: self.folder / stage for stage in self.stages}
        return [stage for stage, path in paths.items() if not path.exists() or path.read_text() != self.fits]

    def build(self) -> str:
        for stage in self.missing():
            time.sleep(0.05)
            (self.folder / stage).write_text(self.fits)
            self.built.append(stage)
        return "paths"


def test_two_trainings_at_once_build_each_artefact_once(tmp_path: Path) -> None:
    builders = [Builder(tmp_path) for _ in range(4)]

    def work(builder: Builder) -> None:
        with ArtefactLocks(tmp_path, STAGES) as locks:
            assert locks.build(builder.missing, builder.build) == "paths"
            assert builder.missing() == []

    threads = [threading.Thread(target=work, args=(builder,)) for builder in builders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stage for builder in builders for stage in builder.built) == sorted(STAGES)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(STAGES)


def test_an_artefact_in_use_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefact_locks, "_PATIENCE_SECONDS", 0.3)
    first, other = Builder(tmp_path), Builder(tmp_path, fits="b")
    with ArtefactLocks(tmp_path, STAGES) as locks:
        locks.build(first.missing, first.build)
        with ArtefactLocks(tmp_path, STAGES) as more, pytest.raises(UserError, match=r"language_model.*is using it"):
            more.build(other.missing, other.build)
        assert other.built == []
        with ArtefactLocks(tmp_path, STAGES) as same:
            same.build(Builder(tmp_path).missing, Builder(tmp_path).build)
    with ArtefactLocks(tmp_path, STAGES) as now:
        now.build(other.missing, other.build)
    assert other.built == list(STAGES)


def test_independent_stages_do_not_wait_for_each_other(tmp_path: Path) -> None:
    building = FolderLock(tmp_path / "memory")
    building.acquire()
    builder = Builder(tmp_path, ("language_model",))
    with ArtefactLocks(tmp_path, ("language_model",)) as locks:
        locks.build(builder.missing, builder.build)
    assert builder.built == ["language_model"]
    building.release()


def test_remains_of_a_killed_build_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".tmp-memory-abcd1234").mkdir()
    builder = Builder(tmp_path)
    with ArtefactLocks(tmp_path, STAGES) as locks:
        locks.build(builder.missing, builder.build)
    assert not (tmp_path / ".tmp-memory-abcd1234").exists()
