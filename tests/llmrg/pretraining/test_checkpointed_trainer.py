"""Resuming a small training: every file is needed, workers are free, changed settings count, a full disk is told."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import TrainerCallback, TrainingArguments

from llmrg.errors import StoppedBySignalError, UserError
from llmrg.pretraining import checkpointed_trainer, signals
from llmrg.pretraining.checkpointed_trainer import CheckpointedTrainer
from llmrg.pretraining.checkpoints import checkpoints_in, is_whole, last_checkpoint, mark

ROWS = [{"x": x, "y": x.sum(-1, keepdim=True)} for x in torch.randn(20, 4, generator=torch.Generator().manual_seed(0))]


class Line(nn.Module):
    """A line behind dropout, so that random numbers count."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        predicted = self.layer(nn.functional.dropout(x, 0.2, self.training))
        return {"loss": ((predicted - y) ** 2).mean(), "logits": predicted}


class At(TrainerCallback):
    """Does something at the end of a step."""

    def __init__(self, step: int, act: Any) -> None:
        self.step, self.act = step, act

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            self.act()


def send(number: int) -> Any:
    return lambda: os.kill(os.getpid(), number)


class KilledError(BaseException):
    """Stands for a process that ends at once."""


def kill() -> None:
    raise KilledError


def build(folder: Path, *callbacks: TrainerCallback, **changes: Any) -> CheckpointedTrainer:
    torch.manual_seed(0)
    own = {name: changes.pop(name) for name in ("keep", "allow_changes") if name in changes}
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "num_train_epochs": 3,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 2,
        "learning_rate": 0.05,
        "save_strategy": "steps",
        "save_steps": 4,
        "eval_strategy": "steps",
        "eval_steps": 4,
        "load_best_model_at_end": True,
        "logging_steps": 3,
        "use_cpu": True,
        "report_to": [],
        "disable_tqdm": True,
        "label_names": ["y"],
    }
    trainer = CheckpointedTrainer(
        model=Line(),
        args=TrainingArguments(**settings | changes),
        train_dataset=ROWS,
        eval_dataset=ROWS[:4],
        callbacks=list(callbacks),
        identity={"training": "line"},
        **own,
    )
    return trainer


def weights(trainer: CheckpointedTrainer) -> list[float]:
    return [value for tensor in trainer.model.state_dict().values() for value in tensor.flatten().tolist()]


def rows(trainer: CheckpointedTrainer) -> list[dict[str, float]]:
    timed = ("runtime", "per_second")
    log = [row for row in trainer.state.log_history if "train_runtime" not in row]
    return [{k: v for k, v in row.items() if not any(word in k for word in timed)} for row in log]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> CheckpointedTrainer:
    trainer = build(tmp_path_factory.mktemp("whole"))
    trainer.train()
    assert trainer.state.global_step == 15
    return trainer


def killed(folder: Path, step: int = 10, **changes: Any) -> Path:
    with pytest.raises(KilledError):
        build(folder, At(step, kill), **changes).train()
    last = last_checkpoint(folder)
    assert last is not None
    return last


@pytest.mark.parametrize("workers", [0, 2])
def test_weights_log_and_best_are_those_of_the_whole(tmp_path: Path, whole: CheckpointedTrainer, workers: int) -> None:
    """Also with other data loading workers before and after: the weights do not depend on them."""
    last = killed(tmp_path, dataloader_num_workers=2 - workers)
    assert last.name == "checkpoint-8"
    again = build(tmp_path, dataloader_num_workers=workers)
    again.train(str(last))
    assert weights(again) == weights(whole)
    assert rows(again) == rows(whole)
    assert again.state.best_metric == whole.state.best_metric


def test_a_moved_folder_still_knows_its_best(tmp_path: Path, whole: CheckpointedTrainer) -> None:
    killed(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    again = build(tmp_path / "b")
    again.train(str(tmp_path / "b" / "checkpoint-8"))
    assert again.state.best_global_step == whole.state.best_global_step
    assert Path(again.state.best_model_checkpoint or "").parent == tmp_path / "b"
    assert weights(again) == weights(whole)


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "loop_0.json", "model.safetensors"])
def test_no_file_is_silently_done_without(tmp_path: Path, name: str) -> None:
    last = killed(tmp_path)
    (last / name).unlink()
    assert not is_whole(last)
    mark(last)  # even where the marker agrees
    with pytest.raises((UserError, ValueError), match=name.split(".")[0] if "model" not in name else "checkpoint"):
        build(tmp_path).train(str(last))


def test_a_lost_best_is_an_error_or_is_sought_anew(tmp_path: Path) -> None:
    killed(tmp_path, 14)
    last = tmp_path / "checkpoint-12"
    state = json.loads((last / "trainer_state.json").read_text())
    (last / "trainer_state.json").write_text(json.dumps({**state, "best_global_step": 2}))
    mark(last)
    with pytest.raises(UserError, match="best checkpoint is missing"):
        build(tmp_path).train(str(last))
    again = build(tmp_path, allow_changes=True)
    again.train(str(last))
    assert again.state.global_step == 15


def test_changed_settings_count_where_they_are_allowed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    last = killed(tmp_path)
    seen: list[float] = []
    again = build(
        tmp_path, At(9, lambda: seen.append(again.optimizer.param_groups[0]["lr"])), allow_changes=True,
        learning_rate=0.5, weight_decay=0.25, save_steps=5, eval_steps=5,
    )  # fmt: skip
    again.train(str(last))
    assert seen == pytest.approx([0.5 * (1 - 9 / 15)])  # the linear schedule, after nine of fifteen steps
    assert {group["weight_decay"] for group in again.optimizer.param_groups} == {0.25, 0.0}
    assert [row["step"] for row in again.state.log_history if "eval_loss" in row] == [4, 8, 10, 15]


@pytest.mark.parametrize("number", signals.SIGNALS)
def test_a_signal_finishes_the_step_and_saves(tmp_path: Path, number: int, whole: CheckpointedTrainer) -> None:
    with signals.catch_signals():
        with pytest.raises(StoppedBySignalError, match=r"step 7 of 15 finished and saved; .*--resume") as stopped:
            build(tmp_path, At(7, send(number))).train()
        assert stopped.value.code == 128 + number
    last = last_checkpoint(tmp_path)
    assert last is not None and last.name == "checkpoint-7"
    again = build(tmp_path)
    again.train(str(last))
    assert weights(again) == weights(whole)
    assert rows(again) == rows(whole)


@pytest.mark.parametrize("step", [8, 15])
@pytest.mark.parametrize("inside", [False, True])
def test_an_evaluation_that_a_signal_prevents_takes_place_after_resuming(
    tmp_path: Path, step: int, inside: bool, whole: CheckpointedTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it, or in the middle of it, when it has drawn random numbers; at the last step, too."""
    real = CheckpointedTrainer.evaluate

    def evaluate(self: CheckpointedTrainer, *args: Any, **options: Any) -> Any:
        with signals.immediate():
            if self.state.global_step == step:
                torch.rand(5)
                os.kill(os.getpid(), signal.SIGTERM)
        return real(self, *args, **options)

    with monkeypatch.context() as patched, signals.catch_signals():
        if inside:
            patched.setattr(CheckpointedTrainer, "evaluate", evaluate)
        with pytest.raises(StoppedBySignalError, match=f"step {step} of 15"):
            build(tmp_path, *([] if inside else [At(step, send(signal.SIGTERM))])).train()
    again = build(tmp_path)
    again.train(str(tmp_path / f"checkpoint-{step}"))
    assert rows(again) == rows(whole)
    assert weights(again) == weights(whole)


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_in_rust(*_: Any, **__: Any) -> None:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def full_in_torch(*_: Any, **__: Any) -> None:
    raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0; PytorchStreamWriter failed")


@pytest.mark.parametrize(
    ("place", "name", "fail"),
    [
        (torch, "save", full),
        (torch, "save", full_in_torch),
        (safetensors.torch, "save_file", full_in_rust),
        (checkpointed_trainer, "mark", full),
        (checkpointed_trainer, "write_text", full),
    ],
)
def test_a_full_disk_is_told_and_earlier_checkpoints_stay(
    tmp_path: Path, whole: CheckpointedTrainer, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, fail: Any
) -> None:
    usage = type("Usage", (), {"free": 4096})
    with monkeypatch.context() as patched:
        patched.setattr(checkpointed_trainer.shutil, "disk_usage", lambda path: usage)
        fill = At(6, lambda: patched.setattr(place, name, fail))
        with pytest.raises(UserError, match=r"checkpoint of step 8 cannot be saved: No space left.*--resume"):
            build(tmp_path, fill).train()
    assert [step for step, _ in checkpoints_in(tmp_path)] == [4]
    again = build(tmp_path)
    again.train(str(last_checkpoint(tmp_path)))
    assert weights(again) == weights(whole)


def test_an_error_that_is_not_the_disks_stays_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(checkpointed_trainer, "mark", fail)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        build(tmp_path).train()


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Canary:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "canary"),)

    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        last = killed(tmp_path / name)
        torch.save({"state": Canary()}, last / name)
        assert not is_whole(last)
        mark(last)
        with pytest.raises(UserError, match="does not hold"):
            build(tmp_path / name).train(str(last))
        torch.save(Canary(), last / "training_args.bin")  # is not read at all
    assert not (tmp_path / "canary").exists()


def test_numbers_are_numpys_too(tmp_path: Path) -> None:
    """The random state of numpy and Python goes on where it was."""
    drawn: list[float] = []
    note = At(9, lambda: drawn.append(float(np.random.rand())))
    build(tmp_path, note).train()
    last = killed(tmp_path / "again")
    np.random.seed(77)
    build(tmp_path / "again", note).train(str(last))
    assert drawn[0] == drawn[1]
