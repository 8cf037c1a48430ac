"""Checkpoints are of one training: what changed is named, refused, or allowed where it makes sense."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.pretraining.checkpoints import IDENTITY, checkpoints_in, last_checkpoint, mark
from llmrg.training.folder import TrainingFolder
from llmrg.training.settings import TrainConfig


@pytest.fixture
def config(tiny_run: Any, tmp_path: Path) -> TrainConfig:
    return load_config(TrainConfig, tiny_run.config, [f"out={tmp_path / 'run'}"])


def checkpoint(folder: TrainingFolder, step: int, *, best: int | None = None, whole: bool = True) -> Path:
    path = folder.checkpoints / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / IDENTITY).write_text(json.dumps(folder.identity))
    (path / "trainer_state.json").write_text(json.dumps({"best_global_step": best}))
    if whole:
        mark(path)
    return path


def test_a_fresh_training_removes_what_an_unfinished_one_left(config: TrainConfig) -> None:
    folder = TrainingFolder(config, split_hash="a")
    assert folder.begin(resume=False) is None
    checkpoint(folder, 900)
    folder.logs.mkdir(parents=True)
    (folder.logs / "events.out.tfevents.1").write_text("x")
    (folder.logs / "notes.txt").write_text("mine")
    assert folder.begin(resume=False) is None
    assert last_checkpoint(folder.checkpoints) is None
    assert [path.name for path in folder.logs.iterdir()] == ["notes.txt"]
    folder.end()
    assert not folder.checkpoints.exists()
    assert folder.logs.parent == config.out.parent / "logs"


def test_resuming_needs_the_same_training(config: TrainConfig, tiny_run: Any, caplog: pytest.LogCaptureFixture) -> None:
    first = TrainingFolder(config, split_hash="a")
    assert first.begin(resume=True) is None
    assert "no whole checkpoint" in caplog.text
    path = checkpoint(first, 4)
    assert first.begin(resume=True) == path

    def other(override: str, *, studies: str = "a", allow: bool = False) -> TrainingFolder:
        changed = load_config(TrainConfig, tiny_run.config, [f"out={config.out}", override])
        return TrainingFolder(changed, split_hash=studies, allow_changes=allow)

    for harmless in ("training.workers=2", "training.max_minutes=5", "training.logging_steps=3", "training.keep=3"):
        assert other(harmless).begin(resume=True) == path
    for key, old, new in (
        ("training.learning_rate", "0.002", "0.5"),
        ("seed", "3", "9"),
        ("training.epochs", "2", "7"),
    ):
        with pytest.raises(UserError, match=rf"{key} was {old}[.0]*, is {new}[.0]*\.") as refused:
            other(f"{key}={new}").begin(resume=True)
        assert "--allow-changes" in str(refused.value)
        caplog.clear()
        assert other(f"{key}={new}", allow=True).begin(resume=True) == path
        assert f"{key} was {old}" in caplog.text
    for allow in (False, True):
        with pytest.raises(UserError, match=r"system.max_report_tokens was 96, is 50.*change system.max_report") as no:
            other("system.max_report_tokens=50", allow=allow).begin(resume=True)
        assert "--allow-changes" not in str(no.value)
        with pytest.raises(UserError, match="training studies was a, is b"):
            other("seed=3", studies="b", allow=allow).begin(resume=True)
        with pytest.raises(UserError, match=r"data.image_size was 48, is 64.*change data.image_size back"):
            other("data.image_size=64", allow=allow).begin(resume=True)
    assert path.is_dir()


def test_another_number_of_processes_is_named(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    path = checkpoint(TrainingFolder(config, split_hash="a"), 4)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match=r"processes was 1, is 2.*--allow-changes"):
        TrainingFolder(config, split_hash="a").begin(resume=True)
    assert TrainingFolder(config, split_hash="a", allow_changes=True).begin(resume=True) == path


def test_checkpoints_without_their_training(config: TrainConfig) -> None:
    folder = TrainingFolder(config, split_hash="a")
    (checkpoint(folder, 4, whole=False) / IDENTITY).unlink()
    mark(folder.checkpoints / "checkpoint-4")
    with pytest.raises(UserError, match=r"has no training\.json"):
        folder.begin(resume=True)


def test_a_lost_best_checkpoint_is_named_and_nothing_is_removed(config: TrainConfig) -> None:
    folder = TrainingFolder(config, split_hash="a")
    path = checkpoint(folder, 8, best=4)
    with pytest.raises(UserError, match=r"best checkpoint.*damaged or missing.*checkpoint-8.*--allow-changes"):
        folder.begin(resume=True)
    assert TrainingFolder(config, split_hash="a", allow_changes=True).begin(resume=True) == path


def test_remains_are_removed(config: TrainConfig) -> None:
    folder = TrainingFolder(config, split_hash="a")
    path = checkpoint(folder, 4)
    checkpoint(folder, 5, whole=False)
    for name in (".tmp-run-ab12_xyz", ".old-run-ab12_xyz", ".tmp-run-two-ab12_xyz", "run-ab12_xyz"):
        (config.out.parent / name).mkdir()
    assert folder.begin(resume=True) == path
    assert [step for step, _ in checkpoints_in(folder.checkpoints)] == [4]
    left = {item.name for item in config.out.parent.iterdir()}
    assert left == {".run-training", ".tmp-run-two-ab12_xyz", "run-ab12_xyz"}


def test_two_writers_are_refused_and_a_dead_one_is_followed(config: TrainConfig) -> None:
    script = (
        "import sys, time; from pathlib import Path; from llmrg.training.lock import FolderLock\n"
        "lock = FolderLock(Path(sys.argv[1])); lock.acquire_now(); print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", script, config.out], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"Another training writes here: process {other.pid} on "):
            TrainingFolder(config, split_hash="a").__enter__()
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    started = time.monotonic()
    with TrainingFolder(config, split_hash="a") as folder:
        assert time.monotonic() - started < 5
        with pytest.raises(UserError, match="Another training writes here"):
            TrainingFolder(config, split_hash="a").__enter__()
        assert folder.begin(resume=False) is None
    assert [item.name for item in config.out.parent.iterdir()] == []
