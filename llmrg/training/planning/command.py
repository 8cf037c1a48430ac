"""What ``llmrg train CONFIG --plan`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llmrg.config import load_config
from llmrg.training.planning.launch import read_launch
from llmrg.training.planning.plan import PlanOptions, TrainingPlan, plan_training
from llmrg.training.settings import TrainConfig

__all__ = ["plan_command"]


def plan_command(
    config: str | Path,
    overrides: Sequence[str] = (),
    *,
    launch: Path | None = None,
    processes: int | None = None,
    studies: int | None = None,
    device: str | None = None,
    gpu_memory: float | None = None,
    flops: float | None = None,
    report_tokens: int | None = None,
) -> TrainingPlan:
    """Plan the training of a configuration file.

    Args:
        config: a training's configuration.
        overrides: ``key.sub=value`` strings.
        launch: launch file of accelerate.
        processes: replaces the launch file's number of processes.
        studies: training studies; counted, or as published, by default.
        device: short name of a GPU, or ``cpu``.
        gpu_memory: of each GPU, GB.
        flops: floating-point operations a second that the device achieves.
        report_tokens: tokens of the longest report of a batch.

    Raises:
        UserError: whatever is wrong with configuration, launch file or device.
    """
    settings = load_config(TrainConfig, config, overrides)
    options = PlanOptions(
        launch=None if launch is None else read_launch(launch, processes=processes),
        studies=studies,
        device=device,
        gpu_memory=gpu_memory,
        flops=flops,
        report_tokens=report_tokens,
        dimensions=_dimensions(Path(config)),
    )
    return plan_training(settings, options)


def _dimensions(config: Path) -> Path:
    """``configs/language`` of the checkout that the configuration lies in, else of the working directory."""
    for folder in config.resolve().parents:
        if folder.name == "configs" and (folder / "language").is_dir():
            return folder / "language"
    return Path("configs/language")
