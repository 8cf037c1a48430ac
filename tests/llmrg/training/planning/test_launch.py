"""Launch files: processes, ZeRO stages, what lies on the host."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmrg.errors import UserError
from llmrg.training.planning.launch import Launch, launch_here, read_launch


def test_every_shipped_launch_file_is_read(repository: Path) -> None:
    files = sorted((repository / "configs" / "launch").glob("*.yaml"))
    assert files
    for file in files:
        launch = read_launch(file)
        assert launch.processes >= 1
        assert launch.deepspeed == ("deepspeed" in file.name)
        for stage in (1, 2, 3):
            if f"zero{stage}" in file.name:
                assert launch.zero_stage == stage


@pytest.mark.parametrize(("stage", "expected"), [(0, (1, 1, 1)), (1, (4, 1, 1)), (2, (4, 4, 1)), (3, (4, 4, 4))])
def test_what_a_stage_divides(tmp_path: Path, stage: int, expected: tuple[int, int, int]) -> None:
    zero = {"stage": stage, "offload_optimizer": {"device": "cpu"}}
    (tmp_path / "ds.json").write_text(json.dumps({"zero_optimization": zero}))
    file = tmp_path / "launch.yaml"
    file.write_text(
        "distributed_type: DEEPSPEED\nnum_processes: 2\ndeepspeed_config: {deepspeed_config_file: elsewhere/ds.json}\n"
    )
    launch = read_launch(file, processes=4)
    assert launch.divides == expected
    assert launch.optimizer_on_host
    assert not launch.weights_on_host


def test_mistakes_are_named(tmp_path: Path) -> None:
    (tmp_path / "cpu.yaml").write_text("distributed_type: 'NO'\nuse_cpu: true\n")
    assert read_launch(tmp_path / "cpu.yaml") == Launch(on_processor=True)
    with pytest.raises(UserError, match=r"does not exist.*cpu\.yaml"):
        read_launch(tmp_path / "cpus.yaml")


def test_the_launch_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "WORLD_SIZE": "8",
        "ACCELERATE_USE_DEEPSPEED": "true",
        "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3",
    }.items():
        monkeypatch.setenv(name, value)
    launch = launch_here(on_processor=False)
    assert (launch.processes, launch.zero_stage, launch.deepspeed) == (8, 3, True)
