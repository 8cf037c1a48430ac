"""How a training is launched: processes and ZeRO stage, from a launch file or from the launcher's environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmrg.config import load_mapping
from llmrg.errors import UserError

__all__ = ["Launch", "launch_here", "read_launch"]


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A launch.

    Args:
        processes: on all machines together.
        machines: how many.
        on_processor: no GPU is used.
        zero_stage: of DeepSpeed; 0 where the optimizer is not divided.
        deepspeed: DeepSpeed runs the loop.
        optimizer_on_host: optimizer states lie in the host's memory.
        weights_on_host: weights lie there too (stage 3).
    """

    processes: int = 1
    machines: int = 1
    on_processor: bool = False
    zero_stage: int = 0
    deepspeed: bool = False
    optimizer_on_host: bool = False
    weights_on_host: bool = False

    @property
    def divides(self) -> tuple[int, int, int]:
        """Among how many processes optimizer states, gradients and weights are divided."""
        n, stage = self.processes, self.zero_stage
        return (n if stage >= 1 else 1, n if stage >= 2 else 1, n if stage >= 3 else 1)


def read_launch(path: Path, *, processes: int | None = None) -> Launch:
    """Read a configuration of ``accelerate launch``.

    Args:
        path: the file.
        processes: replaces the file's number (``--num_processes``).

    Raises:
        UserError: it does not exist or is no such file.
    """
    values = load_mapping(_existing(path))
    count = processes or int(values.get("num_processes") or 1)
    if str(values.get("distributed_type", "NO")).upper() != "DEEPSPEED":
        return Launch(
            processes=count,
            machines=int(values.get("num_machines") or 1),
            on_processor=bool(values.get("use_cpu", False)),
        )
    settings = dict(values.get("deepspeed_config") or {})
    file = settings.get("deepspeed_config_file")
    if file:
        settings |= _from_deepspeed(_find(Path(str(file)), path))
    return Launch(
        processes=count,
        machines=int(values.get("num_machines") or 1),
        on_processor=bool(values.get("use_cpu", False)),
        deepspeed=True,
        zero_stage=int(settings.get("zero_stage", 2)),
        optimizer_on_host=_on_host(settings.get("offload_optimizer_device")),
        weights_on_host=_on_host(settings.get("offload_param_device")),
    )


def launch_here(*, on_processor: bool) -> Launch:
    """Describe the launch that this process belongs to, from the variables that launchers set."""
    variables = os.environ
    deepspeed = variables.get("ACCELERATE_USE_DEEPSPEED", "false").lower() == "true"
    file = variables.get("ACCELERATE_DEEPSPEED_CONFIG_FILE", "none")
    settings: dict[str, Any] = {
        "zero_stage": variables.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2"),
        "offload_optimizer_device": variables.get("ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE"),
        "offload_param_device": variables.get("ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE"),
    }
    if deepspeed and file.lower() != "none":
        settings |= _from_deepspeed(Path(file))
    return Launch(
        processes=int(variables.get("WORLD_SIZE", "1")),
        on_processor=on_processor,
        deepspeed=deepspeed,
        zero_stage=int(settings["zero_stage"]) if deepspeed else 0,
        optimizer_on_host=deepspeed and _on_host(settings["offload_optimizer_device"]),
        weights_on_host=deepspeed and _on_host(settings["offload_param_device"]),
    )


def _from_deepspeed(path: Path) -> dict[str, Any]:
    zero = dict(_read_json(path).get("zero_optimization") or {})
    return {
        "zero_stage": zero.get("stage", 0),
        "offload_optimizer_device": (zero.get("offload_optimizer") or {}).get("device"),
        "offload_param_device": (zero.get("offload_param") or {}).get("device"),
    }


def _find(file: Path, beside: Path) -> Path:
    """The path is relative to where the launcher is started; failing that, a file of this name beside the other."""
    return file if file.is_file() else beside.parent / file.name


def _on_host(device: Any) -> bool:
    return str(device or "none").lower() in ("cpu", "nvme")


def _existing(path: Path) -> Path:
    if not path.is_file():
        beside = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else None
        raise UserError("The launch file does not exist", where=str(path), allowed=beside or None, got=path.name)
    return path


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(_existing(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError("DeepSpeed's configuration is not valid JSON", where=str(path)) from error
    if not isinstance(values, Mapping):
        raise UserError("DeepSpeed's configuration is no mapping of keys to values", where=str(path))
    return values
