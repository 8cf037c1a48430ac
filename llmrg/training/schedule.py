"""How learning rates fall during a training."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.optim.lr_scheduler import LambdaLR

from llmrg.training.settings import LoopConfig

__all__ = ["build_schedule"]


def build_schedule(optimizer: torch.optim.Optimizer, config: LoopConfig, *, steps: int) -> LambdaLR:
    """Let every group's rate rise linearly in the warm-up and fall along half a cosine to the final rate.

    With ``cosine_by_epoch`` the cosine is that of the epoch at hand, ``(1 + cos(pi e / E)) / 2`` in epoch e of E
    (PyTorch's ``CosineAnnealingLR(T_max=E)`` stepped once an epoch).

    Args:
        optimizer: its groups have their peaks as rates.
        config: schedule, warm-up, epochs, final rate.
        steps: of the whole training.
    """
    return LambdaLR(optimizer, [_factor(config, steps, peak=float(group["lr"])) for group in optimizer.param_groups])


def _factor(config: LoopConfig, steps: int, *, peak: float) -> Callable[[int], float]:
    warm = math.ceil(config.warmup * steps)
    floor = min(1.0, config.final_learning_rate / peak)
    by_epoch = config.schedule == "cosine_by_epoch"

    def factor(step: int) -> float:
        if step < warm:
            return step / max(1, warm)
        done = (step - warm) / max(1, steps - warm)
        if by_epoch:
            epoch = math.floor(step * config.epochs / steps + 1e-9)
            done = epoch / math.ceil(config.epochs)
        return floor + (1 - floor) * (1 + math.cos(math.pi * min(1.0, done))) / 2

    return factor
