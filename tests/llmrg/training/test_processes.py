"""Which process this is, by the variables that launchers set."""

from __future__ import annotations

import pytest

from llmrg.training.processes import is_main_process, wait_for_everyone, world_size


def test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (world_size(), is_main_process()) == (1, True)
    wait_for_everyone()


def test_one_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    assert (world_size(), is_main_process()) == (4, False)
    monkeypatch.setenv("RANK", "0")
    assert is_main_process()
