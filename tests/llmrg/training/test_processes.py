"""Which process this is, by the variables that launchers set; what one does while the others wait."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from llmrg.training import processes
from llmrg.training.processes import (
    LostProcessError,
    alone,
    by_main_process,
    is_main_process,
    naming_lost_processes,
    runs_on_gpu,
    wait_for_everyone,
    world_size,
)

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import json, os, sys, time
from pathlib import Path
from torch import distributed
from llmrg.errors import UserError
from llmrg.training.processes import (
    MainProcessError, by_main_process, naming_lost_processes, open_process_group
)

folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
seen = {}

def build():
    (folder / f"built-by-{rank}").touch()
    time.sleep(2)
    return {"launcher": sorted({"RANK", "WORLD_SIZE", "MASTER_ADDR"} & os.environ.keys()), "checkpoint": None}

def fail():
    raise UserError("The disk is full", where="artefacts")

seen["first"] = by_main_process(build)
seen["second"] = by_main_process(lambda: rank)
try:
    by_main_process(fail)
except (UserError, MainProcessError) as error:
    seen["error"] = [type(error).__name__, str(error)]
open_process_group()
seen["group"] = [distributed.get_backend(), distributed.get_world_size()]
distributed.barrier()
(folder / f"seen-{rank}.json").write_text(json.dumps(seen))
if rank == 0:  # the other leaves without a word
    with naming_lost_processes():
        distributed.barrier()
os._exit(0)
"""


def test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (world_size(), is_main_process()) == (1, True)
    wait_for_everyone()
    nothing = object()
    assert by_main_process(lambda: nothing) is nothing


def test_one_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    assert (world_size(), is_main_process()) == (4, False)
    monkeypatch.setenv("RANK", "0")
    assert is_main_process()


def test_the_launcher_is_hidden_from_what_is_done_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT", "ACCELERATE_USE_DEEPSPEED", "TORCHELASTIC_RUN_ID")
    for name in (*hidden, "ACCELERATE_USE_CPU"):
        monkeypatch.setenv(name, "1")
    with pytest.raises(ValueError, match="mistake"), alone():
        assert not set(hidden) & os.environ.keys()
        assert os.environ["ACCELERATE_USE_CPU"] == "1"
        raise ValueError("a mistake")
    assert set(hidden) <= os.environ.keys()


def test_the_launch_file_may_ask_for_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    assert runs_on_gpu()
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    assert not runs_on_gpu()


def test_a_lost_process_is_named_and_other_errors_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(LostProcessError, match="--resume"), naming_lost_processes():
        raise RuntimeError("[../third_party/gloo/pair.cc:534] Connection closed by peer [127.0.0.1]:55555")
    with pytest.raises(RuntimeError, match="shapes"), naming_lost_processes():
        raise RuntimeError("shapes cannot be multiplied")


def test_two_processes(tmp_path: Path) -> None:
    """One builds, both get the result; its error ends both; no launcher's store is needed."""
    (tmp_path / "two.py").write_text(SCRIPT, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [
        subprocess.Popen(
            [sys.executable, tmp_path / "two.py", tmp_path],
            env={
                **os.environ,
                **{"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"},
                **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "PYTHONPATH": str(ROOT)},
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=240)[1] for process in started]
    seen: list[dict[str, Any]] = []
    for rank in range(2):
        file = tmp_path / f"seen-{rank}.json"
        assert file.is_file(), errors[rank]
        seen.append(json.loads(file.read_text()))
    assert [path.name for path in tmp_path.glob("built-by-*")] == ["built-by-0"]
    assert seen[0]["first"] == seen[1]["first"] == {"launcher": [], "checkpoint": None}
    assert seen[0]["second"] == seen[1]["second"] == 0
    assert seen[0]["error"] == ["UserError", "The disk is full. Where: artefacts."]
    assert seen[1]["error"] == ["MainProcessError", "the main process ended with: The disk is full. Where: artefacts."]
    assert seen[0]["group"] == seen[1]["group"] == ["gloo", 2]
    assert "LostProcessError: another process of this training has gone" in errors[0]


def test_a_main_process_that_is_gone_ends_the_others() -> None:
    class Gone:
        def check(self, keys: list[str]) -> bool:
            raise RuntimeError("Connection reset by peer\nC++ frames")

    with pytest.raises(processes.MainProcessError, match=r"has gone \(Connection reset by peer\)"):
        processes._await(Gone(), "key")
