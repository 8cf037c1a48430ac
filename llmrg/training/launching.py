"""What the launcher was asked for and what it did: ``accelerate launch`` drops some wishes without a word."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from llmrg.errors import UserError
from llmrg.training.processes import is_main_process, world_size

__all__ = ["check_launch", "enter_launch", "launcher_arguments", "require_deepspeed", "wants_deepspeed"]


def wants_deepspeed() -> bool:
    """Tell whether the launcher asks this process to train with DeepSpeed."""
    return os.environ.get("ACCELERATE_USE_DEEPSPEED", "false").lower() == "true"


def require_deepspeed(present: bool) -> None:
    """Refuse to train without DeepSpeed where the launcher asked for it.

    Args:
        present: DeepSpeed is in use.

    Raises:
        UserError: it is not.
    """
    if wants_deepspeed() and not present:
        raise UserError(
            "The launch file asks for DeepSpeed, but training would go on without it",
            where="ACCELERATE_USE_DEEPSPEED",
            next_step="launch with configs/launch/deepspeed_zero2.yaml and without --cpu or ACCELERATE_USE_CPU",
        )


def enter_launch() -> None:
    """Check the launch, and let only the main process tell what all of them do; warnings come from each.

    Raises:
        UserError: see :func:`check_launch`.
    """
    check_launch()
    if not is_main_process():
        for package in ("llmrg", "retrieval_index"):
            logging.getLogger(package).setLevel(logging.WARNING)


def check_launch() -> None:
    """Refuse a launch by ``accelerate launch`` that is not what it was asked for, as far as that can be seen.

    ``accelerate launch --cpu --num_processes 2`` starts one process, and ``--cpu`` with a DeepSpeed launch file leaves
    DeepSpeed out; both return 0. The launcher is this process's parent, whose command line Linux shows.

    Raises:
        UserError: names what was asked for and what to do.
    """
    arguments = launcher_arguments(os.getppid())
    if arguments is not None:
        _check(arguments, processes=world_size(), deepspeed=wants_deepspeed())


def launcher_arguments(process: int) -> list[str] | None:
    """Return the arguments of ``accelerate launch`` if that is what runs as a process, else None."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
    except OSError:
        return None
    for place, word in enumerate(words[:4]):
        if Path(word).name == "accelerate" and words[place + 1 : place + 2] == ["launch"]:
            return words[place + 2 :]
        if Path(word).name == "accelerate-launch" or word == "accelerate.commands.launch":
            return words[place + 1 :]
        if word.endswith("accelerate/commands/launch.py"):
            return words[place + 1 :]
    return None


def _check(arguments: Sequence[str], *, processes: int, deepspeed: bool) -> None:
    given = _read(arguments)
    file = _launch_file(given.config_file)
    wanted = given.num_processes if given.num_processes is not None else int(str(file.get("num_processes") or 1))
    if wanted > processes:
        raise UserError(
            f"accelerate was asked for {wanted} processes, but started {processes}",
            where="accelerate launch --num_processes",
            next_step="on GPUs use configs/launch/multi_gpu.yaml; on the processor configs/launch/two_cpu.yaml, "
            "without --cpu",
        )
    asked = given.use_deepspeed or str(file.get("distributed_type", "")).upper() == "DEEPSPEED"
    if asked and not deepspeed:
        raise UserError(
            "accelerate was asked for DeepSpeed, but --cpu makes it leave DeepSpeed out",
            where="accelerate launch --cpu",
            next_step="leave --cpu away: DeepSpeed finds the processor by itself where there is no GPU",
        )


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the launcher's own options; those of the training come after the module's name and are passed over."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config_file", "--config-file")
    parser.add_argument("--num_processes", "--num-processes", type=int)
    parser.add_argument("--use_deepspeed", "--use-deepspeed", action="store_true")
    parser.add_argument("-m", "--module", action="store_true")
    own = list(arguments)
    for place, word in enumerate(own):
        if word in ("-m", "--module"):
            own = own[:place]
            break
    found, _ = parser.parse_known_args(own)
    return found


def _launch_file(path: str | None) -> Mapping[str, object]:
    if path is None:
        return {}
    try:
        values = OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, ValueError, OmegaConfBaseException):
        return {}  # accelerate itself has said what is wrong with it
    return {str(key): value for key, value in values.items()} if isinstance(values, dict) else {}
