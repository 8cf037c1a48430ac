"""What ``accelerate launch`` drops without a word is named."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmrg.errors import UserError
from llmrg.training import launching
from llmrg.training.launching import check_launch, enter_launch, launcher_arguments, require_deepspeed

ROOT = Path(__file__).resolve().parents[3]
LAUNCH = ROOT / "configs" / "launch"


def launched(monkeypatch: pytest.MonkeyPatch, arguments: str, *, processes: int = 1, deepspeed: bool = False) -> None:
    monkeypatch.setattr(launching, "launcher_arguments", lambda _: arguments.split())
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", str(deepspeed).lower())
    check_launch()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--cpu --num_processes 2 -m llmrg.train c.yaml", "asked for 2 processes, but started 1"),
        ("--num-processes=4 -m llmrg.train c.yaml", "asked for 4 processes"),
        (f"--cpu --config_file {LAUNCH}/multi_gpu.yaml -m llmrg.train c.yaml", "asked for 2 processes"),
        (f"--cpu --config_file {LAUNCH}/deepspeed_zero2.yaml -m llmrg.train c.yaml", "leave DeepSpeed out"),
        (f"--config-file={LAUNCH}/deepspeed_zero3.yaml --cpu -m llmrg.train c.yaml", "leave DeepSpeed out"),
    ],
)
def test_what_was_dropped_is_named(monkeypatch: pytest.MonkeyPatch, arguments: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        launched(monkeypatch, arguments)


@pytest.mark.parametrize(
    ("arguments", "processes", "deepspeed"),
    [
        ("-m llmrg.train c.yaml --num_processes 8", 1, False),  # an option of the training, if of anything
        ("--cpu -m llmrg.train c.yaml", 1, False),
        (f"--config_file {LAUNCH}/cpu.yaml -m llmrg.train c.yaml", 1, False),
        (f"--config_file {LAUNCH}/two_cpu.yaml -m llmrg.train c.yaml", 2, False),
        (f"--config_file {LAUNCH}/multi_gpu.yaml --num_processes 8 -m llmrg.train c.yaml", 8, False),
        (f"--config_file {LAUNCH}/multi_node.yaml --machine_rank 1 -m llmrg.train c.yaml", 16, False),
        (f"--config_file {LAUNCH}/deepspeed_zero2.yaml -m llmrg.train c.yaml", 1, True),
        ("--config_file no/such/file.yaml -m llmrg.train c.yaml", 1, False),
    ],
)
def test_what_was_done_as_asked_passes(
    monkeypatch: pytest.MonkeyPatch, arguments: str, processes: int, deepspeed: bool
) -> None:
    launched(monkeypatch, arguments, processes=processes, deepspeed=deepspeed)


def test_a_parent_that_is_no_launcher_is_passed_over() -> None:
    assert launcher_arguments(os.getpid()) is None
    assert launcher_arguments(2**22 + 1) is None
    check_launch()


@pytest.mark.parametrize(
    "words",
    [
        [sys.executable, "/a/bin/accelerate", "launch", "--cpu"],
        [sys.executable, "-m", "accelerate.commands.launch", "--cpu"],
        [sys.executable, "/a/accelerate/commands/launch.py", "--cpu"],
        ["/a/bin/accelerate-launch", "--cpu"],
    ],
)
def test_the_launcher_is_known_by_its_command_line(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    line = b"".join(word.encode() + b"\0" for word in words)
    monkeypatch.setattr(Path, "read_bytes", lambda _: line)
    assert launcher_arguments(1) == ["--cpu"]


def test_training_without_the_deepspeed_that_was_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACCELERATE_USE_DEEPSPEED", raising=False)
    require_deepspeed(False)
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    require_deepspeed(True)
    with pytest.raises(UserError, match="asks for DeepSpeed"):
        require_deepspeed(False)


def test_only_the_main_process_tells_what_all_do(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("llmrg")
    before = logger.level
    try:
        for rank, level in (("0", logging.INFO), ("1", logging.WARNING)):
            logger.setLevel(logging.INFO)
            monkeypatch.setenv("RANK", rank)
            enter_launch()
            assert logger.level == level
    finally:
        logger.setLevel(before)
        logging.getLogger("retrieval_index").setLevel(logging.NOTSET)


def test_a_real_launch_with_fewer_processes_than_asked_for_ends_with_one_message(tiny_run: Any) -> None:
    binaries = Path(sys.executable).parent
    done = subprocess.run(
        [binaries / "accelerate", "launch", "--cpu", "--num_processes", "2", "-m", "llmrg.train", tiny_run.config],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=240,
    )
    assert done.returncode != 0
    assert "Error: accelerate was asked for 2 processes, but started 1." in done.stderr
