"""A training that is stopped early ends like any other: evaluated and saved."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

__all__ = ["EarlyEnd"]


class EarlyEnd(TrainerCallback):
    """Has a training that another callback stops early evaluated and saved, as at its last step."""

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Ask for evaluation and checkpoint if the training ends with this step."""
        if control.should_training_stop and args.eval_strategy != "no":
            control.should_evaluate = control.should_save = True
        return control
