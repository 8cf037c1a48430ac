"""Only a whole checkpoint is resumed from; rotation keeps what resuming needs, also when it is killed half-way."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from llmrg.artefacts import COMPLETE
from llmrg.pretraining import checkpoints
from llmrg.pretraining.checkpoints import (
    IDENTITY,
    best_of,
    checkpoints_in,
    discard,
    is_whole,
    last_checkpoint,
    mark,
    matching_checkpoint,
    remove_unmarked,
    rotate,
)


def checkpoint(folder: Path, step: int, *, best: int | None = None, whole: bool = True) -> Path:
    path = folder / f"checkpoint-{step}"
    (path / "global_step").mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"weights %d" % step)
    (path / "global_step" / "optimizer.pt").write_bytes(b"moments")
    (path / "trainer_state.json").write_text(json.dumps({"best_global_step": best}))
    if whole:
        mark(path)
    return path


def steps(folder: Path) -> list[int]:
    return [step for step, _ in checkpoints_in(folder)]


def test_the_marker_holds_the_hash_of_every_file(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 5)
    marker = json.loads((path / COMPLETE).read_text())
    assert set(marker) == {"model.safetensors", "global_step/optimizer.pt", "trainer_state.json"}
    assert is_whole(path)


HARMS = (
    "no marker",
    "old marker",
    "no list",
    "missing file",
    "cut file",
    "changed file",
    "planted file",
    "planted link",
)


@pytest.mark.parametrize("harm", HARMS)
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
    elif harm == "changed file":
        (last / "model.safetensors").write_bytes(b"weights 21")
    elif harm == "planted file":
        (last / "global_step" / "zero_pp_rank_0.pt").write_bytes(b"a pickle that another process put here")
    else:
        (last / "pytorch_model.bin").symlink_to(good / "model.safetensors")
    assert last_checkpoint(tmp_path) == good
    assert "checkpoint-20" in caplog.text


def test_none_at_all(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "none") is None
    checkpoint(tmp_path, 3, whole=False)
    assert last_checkpoint(tmp_path) is None


def test_one_whose_best_is_gone_is_passed_over(tmp_path: Path) -> None:
    checkpoint(tmp_path, 4, best=4)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-4"
    checkpoint(tmp_path, 8, best=6)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-4"
    checkpoint(tmp_path, 6, best=6)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-8"


@pytest.mark.parametrize(
    ("keep", "written", "kept"),
    [
        (1, [(4, 4), (8, 4), (12, 4)], [4, 12]),
        (1, [(4, 4), (8, 8), (12, 12)], [8, 12]),
        (2, [(4, 4), (8, 4), (12, 4), (16, 4)], [4, 12, 16]),
        (2, [(4, 4), (8, 4), (12, 4), (16, 16)], [4, 8, 12, 16]),
        (1, [(4, None), (8, None)], [8]),
    ],
)
def test_rotation_keeps_the_best_and_the_last(
    tmp_path: Path, keep: int, written: list[tuple[int, int | None]], kept: list[int]
) -> None:
    for step, best in written:
        checkpoint(tmp_path, step, best=best)
        rotate(tmp_path, keep)
    assert steps(tmp_path) == kept


def test_whatever_was_written_each_that_stays_can_be_resumed_from(tmp_path: Path) -> None:
    stream = random.Random(0)
    for trial in range(40):
        folder, best, keep = tmp_path / str(trial), 0, stream.randint(1, 3)
        for step in range(1, stream.randint(2, 9)):
            best = step if best == 0 or stream.random() < 0.4 else best
            checkpoint(folder, step, best=best)
            rotate(folder, keep)
            assert {step, best} <= set(steps(folder))
            assert len(steps(folder)) >= min(step, keep + 1)
            assert len(steps(folder)) <= 2 * keep + 2
            assert all(best_of(path) in steps(folder) for _, path in checkpoints_in(folder)[-keep:])


def test_rotation_without_a_whole_checkpoint_removes_nothing(tmp_path: Path) -> None:
    checkpoint(tmp_path, 3, whole=False)
    rotate(tmp_path, 1)
    assert steps(tmp_path) == [3]


def test_a_kill_at_any_moment_of_rotation_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removal ends after each single file or folder in turn; what is left is a whole training or an ignored rest."""
    for step, best in ((4, 4), (8, 8), (12, 12), (16, 12)):
        checkpoint(tmp_path / "before", step, best=best)

    class KilledError(BaseException):
        pass

    real_unlink, real_rmtree = Path.unlink, shutil.rmtree
    for moment in range(20):
        folder = tmp_path / str(moment)
        shutil.copytree(tmp_path / "before", folder)
        left = [moment]

        def count(left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KilledError

        def unlink(self: Path, missing_ok: bool = False, count: Any = count) -> None:
            count()
            real_unlink(self, missing_ok=missing_ok)

        def rmtree(path: Path, ignore_errors: bool = False, count: Any = count) -> None:
            for file in sorted(Path(path).rglob("*"), reverse=True):
                count()
                file.rmdir() if file.is_dir() else real_unlink(file)
            real_rmtree(path)

        with monkeypatch.context() as patched:
            patched.setattr(checkpoints.Path, "unlink", unlink)
            patched.setattr(checkpoints.shutil, "rmtree", rmtree)
            try:
                rotate(folder, 1)
                ended = True
            except KilledError:
                ended = False
        assert last_checkpoint(folder) == folder / "checkpoint-16"
        assert is_whole(folder / "checkpoint-12")
        remove_unmarked(folder)
        rotate(folder, 1)
        assert steps(folder) == [12, 16]
    assert ended


def test_removing_takes_the_marker_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = checkpoint(tmp_path, 4)
    monkeypatch.setattr(checkpoints.shutil, "rmtree", lambda *a, **k: None)
    discard(path)
    assert (path / "model.safetensors").exists()
    assert not is_whole(path)
    discard(tmp_path / "checkpoint-99")


def test_remains_are_removed_and_damaged_ones_stay(tmp_path: Path) -> None:
    checkpoint(tmp_path, 4, whole=False)
    checkpoint(tmp_path, 5)
    (checkpoint(tmp_path, 6) / "model.safetensors").write_bytes(b"flipped")
    remove_unmarked(tmp_path)
    assert steps(tmp_path) == [5, 6]


def test_a_stage_goes_on_from_its_own_checkpoints_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert matching_checkpoint(tmp_path, {"a": 1}) is None
    path = checkpoint(tmp_path, 4, whole=False)
    (path / IDENTITY).write_text('{"a": 1}')
    mark(path)
    assert matching_checkpoint(tmp_path, {"a": 1}) == path
    assert matching_checkpoint(tmp_path, {"a": 2}) is None
    assert "another configuration" in caplog.text
