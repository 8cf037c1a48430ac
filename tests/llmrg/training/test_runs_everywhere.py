"""Every system, saved, moved, loaded and merged: it writes what it wrote when it had been trained."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from llmrg.errors import UserError
from llmrg.systems.export import export_run
from llmrg.systems.run import open_run


def texts(written: list[Any]) -> list[str]:
    return [text for text, _, _ in written]


def scores(written: list[Any]) -> list[float]:
    return [score for _, own, _ in written for score in own]


def test_a_moved_run_writes_the_same_bit_for_bit_and_opens_nothing_elsewhere(
    trained_system: Any, write: Callable[..., list[Any]], watch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = shutil.copytree(trained_system.run, tmp_path / "elsewhere" / "moved")
    monkeypatch.chdir(tmp_path)
    with watch(trained_system.folder) as opened:
        loaded = open_run(moved.relative_to(tmp_path), device="cpu")
        written = write(loaded.system, loaded.config)
    assert written == trained_system.written
    assert len(scores(written)) >= 6 * len(written)
    assert len({tuple(own) for _, own, _ in written}) > 1, "the films matter"
    assert not opened, "artefacts, run and logs of the training are not needed any more"


def test_plain_and_merged_exports_write_the_same(
    trained_system: Any, write: Callable[..., list[Any]], tmp_path: Path
) -> None:
    config = trained_system.config
    quantisation = config.system.language_model.quantisation
    for merge in (False, True):
        if merge and quantisation == "8bit":
            with pytest.raises(UserError, match="stored in 8bit"):
                export_run(trained_system.run, tmp_path / "refused", merge=True)
            break
        out = export_run(trained_system.run, tmp_path / f"merge-{merge}", merge=merge).directory
        loaded = open_run(out, device="cpu")
        written = write(loaded.system, config)
        assert texts(written) == texts(trained_system.written)
        if merge:
            assert scores(written) == pytest.approx(scores(trained_system.written), abs=1e-3)
        else:
            assert written == trained_system.written
        with safe_open(out / "model.safetensors", framework="pt") as file:
            learnt = [name for name in file.keys() if "lora_" in name]  # noqa: SIM118
        adapted = config.system.language_model.tuning == "lora" or config.system.vision_lora is not None
        assert bool(learnt) is (adapted and not merge)
    if config.system.language_model.tuning == "lora":
        bare = open_run(trained_system.run, device="cpu").system
        with torch.no_grad():  # quantised or not, adapters have learnt what changes reports
            for name, weight in bare.language_model.named_parameters():
                if "lora_B" in name:
                    weight.zero_()
        assert scores(write(bare, config)) != pytest.approx(scores(trained_system.written), abs=1e-2)
