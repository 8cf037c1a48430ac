"""A training from configuration to run: refused, resumed, cut short, tried dry."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from transformers import TrainerCallback

from llmrg.artefacts import COMPLETE, read_manifest
from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.training import run as run_module
from llmrg.training.run import build_stage, train
from llmrg.training.settings import TrainConfig
from llmrg.training.validation import ReportValidation


@pytest.fixture
def overrides(tiny_run: Any, tmp_path: Path) -> list[str]:
    """A training into the test's own folder, with the artefacts of the tiny run."""
    return [f"out={tmp_path / 'runs' / 'tiny'}", f"artefacts={tiny_run.artefacts}"]


def tree(folder: Path) -> dict[str, int]:
    """Every file's time of change, but for locks: other tests train with the same artefacts at the same time."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in files}


def test_a_finished_run_is_left_alone(tiny_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "build_system", lambda *a, **k: pytest.fail("trained again"))
    before = tree(tiny_run.run)
    assert train(tiny_run.config) == tiny_run.run
    assert tree(tiny_run.run) == before


def test_a_run_from_before_a_key_was_added_is_finished(tiny_run: Any, tmp_path: Path) -> None:
    older = tmp_path / "runs" / "older"
    shutil.copytree(tiny_run.run, older)
    saved = older / "train.yaml"
    lines = saved.read_text(encoding="utf-8").splitlines()
    kept = [f"out: {older}" if line.startswith("out: ") else line for line in lines if "warm_up" not in line]
    assert len(kept) == len(lines) - 1
    saved.write_text("\n".join(kept) + "\n", encoding="utf-8")
    before = tree(older)
    assert train(tiny_run.config, [f"out={older}"]) == older
    assert tree(older) == before


@pytest.mark.parametrize("override", ["training.learning_rate=0.5", "seed=4", "decoding.max_new_tokens=9"])
def test_a_run_of_another_configuration_is_never_overwritten(tiny_run: Any, override: str) -> None:
    before = tree(tiny_run.folder / "runs")
    with pytest.raises(UserError, match="another configuration"):
        train(tiny_run.config, [override])
    assert tree(tiny_run.folder / "runs") == before


def test_a_folder_that_is_no_run_is_never_overwritten(tiny_run: Any, tmp_path: Path) -> None:
    precious = tmp_path / "home" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years")
    with pytest.raises(UserError, match="not empty"):
        train(tiny_run.config, [f"out={precious.parent}"])
    with pytest.raises(UserError, match="not empty"):
        train(tiny_run.config, [f"out={precious}"])
    with pytest.raises(UserError, match="something else"):
        train(tiny_run.config, [f"out={tiny_run.artefacts / 'memory'}"])
    assert precious.read_text() == "years"


def test_what_a_run_holds(tiny_run: Any) -> None:
    names = {path.name for path in tiny_run.run.iterdir()}
    assert names == {
        "artefacts",
        "model.safetensors",
        "tokenizer",
        "run.yaml",
        "train.yaml",
        "log.json",
        "language_model.json",
        "manifest.json",
        "README.md",
        COMPLETE,
    }
    assert sorted(path.name for path in tiny_run.run.parent.iterdir()) == ["artefacts", "logs", "tiny"]
    assert load_config(TrainConfig, tiny_run.run / "train.yaml") == load_config(TrainConfig, tiny_run.config)
    card = (tiny_run.run / "README.md").read_text(encoding="utf-8")
    assert "Not a medical device" in card
    assert "42 of 21 patients" in card
    assert "language_model" in card.split("## Privacy")[1]
    figures = read_manifest(tiny_run.run).details["validation"]
    assert {"clinical_micro_f1", "bleu_4", "distinct_ratio"} <= figures.keys()
    log = json.loads((tiny_run.run / "log.json").read_text())
    assert [row["step"] for row in log if "eval_clinical_micro_f1" in row] == [6, 12]


class _Killed(TrainerCallback):
    """Ends the generator's training at a step, as a signal would; notes the steps that were taken."""

    def __init__(self, name: str, at: int | None, steps: list[int]) -> None:
        self.at, self.steps = at, steps

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.steps.append(state.global_step)
        if state.global_step == self.at:
            raise KeyboardInterrupt


def test_a_killed_training_goes_on_from_its_last_whole_checkpoint(
    tiny_run: Any, overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of an epoch, to the same weights as the training that was never stopped, bit by bit."""
    steps: list[int] = []
    more = [*overrides, "training.evaluations=3", "training.metric=rouge_l"]
    monkeypatch.setattr(run_module, "ProgressReport", lambda name: _Killed(name, None, steps))
    train(tiny_run.config, [*more, f"out={tmp_path / 'whole' / 'tiny'}"])
    steps.clear()
    monkeypatch.setattr(run_module, "ProgressReport", lambda name: _Killed(name, 11, steps))
    with pytest.raises(KeyboardInterrupt):
        train(tiny_run.config, more)
    folder = tmp_path / "runs" / ".tiny-training"
    assert not (tmp_path / "runs" / "tiny").exists()
    # Another one that was being written, and one whose file was cut.
    shutil.copytree(folder / "checkpoint-8", folder / "checkpoint-11")
    (folder / "checkpoint-11" / COMPLETE).unlink()
    shutil.copytree(folder / "checkpoint-8", folder / "checkpoint-10")
    (folder / "checkpoint-10" / "optimizer.pt").write_bytes(b"cut")
    with pytest.raises(UserError, match="another configuration"):
        train(tiny_run.config, [*more, "training.learning_rate=0.5"], resume=True)
    steps.clear()
    monkeypatch.setattr(run_module, "ProgressReport", lambda name: _Killed(name, None, steps))
    run = train(tiny_run.config, more, resume=True)
    assert steps == [9, 10, 11, 12]
    found, expected = (load_file(path / "model.safetensors") for path in (run, tmp_path / "whole" / "tiny"))
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in found)
    assert not folder.exists()
    rows = [
        [row for row in json.loads((path / "log.json").read_text()) if "eval_rouge_l" in row]
        for path in (run, tmp_path / "whole" / "tiny")
    ]
    assert rows[0] == rows[1]


def test_the_best_checkpoint_is_kept_not_the_last(
    tiny_run: Any, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.2, 0.9, 0.4])
    seen: list[dict[str, Any]] = []

    def scripted(self: ReportValidation, system: Any, **_: Any) -> dict[str, float]:
        seen.append({name: tensor.clone() for name, tensor in system.own_state().items()})
        return {"clinical_macro_f1": next(scores), "bleu_4": 0.1 * len(seen)}

    monkeypatch.setattr(ReportValidation, "__call__", scripted)
    run = train(tiny_run.config, [*overrides, "training.evaluations=3", "training.metric=clinical_macro_f1"])
    weights = load_file(run / "model.safetensors")
    assert len(seen) == 3
    assert all(np.array_equal(weights[name], tensor.numpy()) for name, tensor in seen[1].items())
    assert not all(np.array_equal(weights[name], tensor.numpy()) for name, tensor in seen[2].items())
    assert read_manifest(run).details["validation"]["clinical_macro_f1"] == 0.9
    assert read_manifest(run).details["validation"]["bleu_4"] == pytest.approx(0.2)


def test_a_time_limit_still_evaluates_and_saves(
    tiny_run: Any, overrides: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    run = train(tiny_run.config, [*overrides, "training.max_minutes=0.000001"])
    assert "max_minutes" in caplog.text
    assert "clinical_micro_f1" in read_manifest(run).details["validation"]
    log = json.loads((run / "log.json").read_text())
    assert [row["step"] for row in log if "eval_clinical_micro_f1" in row] == [1]


def test_a_figure_that_is_not_defined_does_not_end_the_training(
    tiny_run: Any, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReportValidation, "__call__", lambda self, system, **_: {"bleu_4": 0.3})
    run = train(tiny_run.config, [*overrides, "training.epochs=0.2"])
    assert read_manifest(run).details["validation"] == {"clinical_micro_f1": 0.0, "bleu_4": 0.3} | {
        name: value
        for name, value in read_manifest(run).details["validation"].items()
        if name not in ("clinical_micro_f1", "bleu_4")
    }


def test_a_failure_while_saving_leaves_no_run(
    tiny_run: Any, overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> str:
        raise RuntimeError("disk")

    monkeypatch.setattr(run_module, "model_card", fail)
    with pytest.raises(RuntimeError, match="disk"):
        train(tiny_run.config, [*overrides, "training.epochs=0.2"])
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [".tiny-training", "logs"]


@pytest.mark.parametrize("tune_vision", ["true", "false"])
def test_a_dry_run_writes_nothing(
    tiny_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tune_vision: str
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.chdir(scratch)
    before = tree(tiny_run.folder)
    options = [f"system.tune_vision={tune_vision}", "training.gradient_checkpointing=true", "training.accumulation=2"]
    train(tiny_run.config, [f"out={tmp_path / 'runs' / 'tiny'}", *options], dry_run=True)
    assert list(tmp_path.iterdir()) == [scratch]
    assert list(scratch.iterdir()) == []
    assert tree(tiny_run.folder) == before


def test_stages_are_built_one_by_one(tiny_run: Any, tmp_path: Path) -> None:
    artefacts = shutil.copytree(tiny_run.artefacts, tmp_path / "artefacts")
    shutil.rmtree(artefacts / "index")
    path = build_stage("index", tiny_run.config, [f"artefacts={artefacts}"], producer="llmrg index build")
    assert path == artefacts / "index"
    assert read_manifest(path).producer == "llmrg index build"
    assert (path / "context.safetensors").read_bytes() == (
        tiny_run.artefacts / "index" / "context.safetensors"
    ).read_bytes()


def test_seeds_change_the_weights(tiny_run: Any, overrides: list[str], tmp_path: Path) -> None:
    """Same seed, same run; the tiny run was made with these settings."""
    run = train(tiny_run.config, overrides)
    first, again = load_file(tiny_run.run / "model.safetensors"), load_file(run / "model.safetensors")
    assert all(np.array_equal(first[name], again[name]) for name in first)
