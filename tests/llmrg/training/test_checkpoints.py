"""Only a whole checkpoint is resumed from, and only one of the same training."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmrg.artefacts import COMPLETE
from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.training.checkpoints import CompletionMarker, EarlyEnd, is_whole, last_checkpoint
from llmrg.training.folder import TrainingFolder
from llmrg.training.settings import TrainConfig


def checkpoint(folder: Path, step: int, *, mark: bool = True) -> Path:
    path = folder / f"checkpoint-{step}"
    (path / "global_step").mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"weights %d" % step)
    (path / "global_step" / "optimizer.pt").write_bytes(b"moments")
    if mark:
        state = SimpleNamespace(global_step=step, is_world_process_zero=True)
        CompletionMarker().on_save(SimpleNamespace(output_dir=str(folder)), state, SimpleNamespace())  # type: ignore[arg-type]
    return path


def test_the_marker_holds_the_hash_of_every_file(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 5)
    marker = json.loads((path / COMPLETE).read_text())
    assert set(marker) == {"model.safetensors", "global_step/optimizer.pt"}
    assert is_whole(path)


def test_another_process_leaves_the_marker_to_the_first(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 5, mark=False)
    state = SimpleNamespace(global_step=5, is_world_process_zero=False)
    CompletionMarker().on_save(SimpleNamespace(output_dir=str(tmp_path)), state, SimpleNamespace())  # type: ignore[arg-type]
    assert not (path / COMPLETE).exists()


@pytest.mark.parametrize("harm", ["no marker", "old marker", "no list", "missing file", "cut file", "changed file"])
def test_the_last_whole_one_is_taken(tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    checkpoint(tmp_path, 9)
    good = checkpoint(tmp_path, 10)
    last = checkpoint(tmp_path, 20)
    (tmp_path / "checkpoint-x").mkdir()
    (tmp_path / "runs").mkdir()
    assert last_checkpoint(tmp_path) == last
    if harm == "no marker":
        (last / COMPLETE).unlink()
    elif harm == "old marker":
        (last / COMPLETE).write_text("")
    elif harm == "no list":
        (last / COMPLETE).write_text("[1]")
    elif harm == "missing file":
        (last / "global_step" / "optimizer.pt").unlink()
    elif harm == "cut file":
        (last / "model.safetensors").write_bytes(b"wei")
    else:
        (last / "model.safetensors").write_bytes(b"weights 21")
    assert last_checkpoint(tmp_path) == good
    assert "checkpoint-20" in caplog.text


def test_none_at_all(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "none") is None
    checkpoint(tmp_path, 3, mark=False)
    assert last_checkpoint(tmp_path) is None


@pytest.mark.parametrize(
    ("stops", "strategy", "asked"), [(True, "steps", True), (False, "steps", False), (True, "no", False)]
)
def test_a_training_that_is_stopped_is_evaluated_and_saved(stops: bool, strategy: str, asked: bool) -> None:
    control = SimpleNamespace(should_training_stop=stops, should_evaluate=False, should_save=False)
    EarlyEnd().on_step_end(SimpleNamespace(eval_strategy=strategy), SimpleNamespace(), control)  # type: ignore[arg-type]
    assert (control.should_evaluate, control.should_save) == (asked, asked)


@pytest.fixture
def config(tiny_run: Any, tmp_path: Path) -> TrainConfig:
    return load_config(TrainConfig, tiny_run.config, [f"out={tmp_path / 'run'}"])


def test_a_fresh_training_removes_what_an_unfinished_one_left(config: TrainConfig) -> None:
    folder = TrainingFolder(config, split_hash="a")
    assert folder.begin(resume=False) is None
    checkpoint(folder.checkpoints, 900)
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
    path = checkpoint(first.checkpoints, 4)
    assert first.begin(resume=True) == path

    def other(override: str) -> TrainConfig:
        return load_config(TrainConfig, tiny_run.config, [f"out={config.out}", override])

    for harmless in ("training.workers=2", "training.max_minutes=5", "training.logging_steps=3"):
        assert TrainingFolder(other(harmless), split_hash="a").begin(resume=True) == path
    for harmful in ("training.learning_rate=0.5", "seed=9", "training.epochs=7"):
        with pytest.raises(UserError, match="another configuration"):
            TrainingFolder(other(harmful), split_hash="a").begin(resume=True)
    with pytest.raises(UserError, match="other training studies"):
        TrainingFolder(config, split_hash="b").begin(resume=True)
    assert path.is_dir()
