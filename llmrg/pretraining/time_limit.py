"""Stop a training when its time is up."""

from __future__ import annotations

import logging
import time
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

__all__ = ["TimeLimit"]

logger = logging.getLogger(__name__)


class TimeLimit(TrainerCallback):
    """Stop after so many minutes, with a warning, because the schedule is then cut short.

    In distributed training the first process decides: clocks differ, and processes that stop at different steps would
    wait for each other for ever.

    Args:
        minutes: since training began; None has no limit.
    """

    def __init__(self, minutes: float | None) -> None:
        self.minutes = minutes
        self.started = time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock."""
        self.started = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Ask the trainer to stop when the time is up."""
        if self.minutes is not None and self._is_over(self.minutes * 60, args):
            if not control.should_training_stop:
                logger.warning(
                    "training stopped after %.1f minutes at step %d of %d: max_minutes reached",
                    self.minutes,
                    state.global_step,
                    state.max_steps,
                )
            control.should_training_stop = True
        return control

    def _is_over(self, seconds: float, args: TrainingArguments) -> bool:
        over = time.monotonic() - self.started > seconds
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return over
        decision = torch.tensor(int(over), device=args.device)
        torch.distributed.broadcast(decision, src=0)
        return bool(decision)
