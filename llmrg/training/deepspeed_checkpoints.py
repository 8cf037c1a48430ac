"""What DeepSpeed's checkpoints of a system hold, and how weights that ZeRO-3 divides are saved and read."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from llmrg.language.divided import fetch_before_backward, is_divided
from llmrg.pretraining.checkpointed_trainer import CheckpointedTrainer

__all__ = ["DeepSpeedTrainer", "FetchDividedWeights"]


class FetchDividedWeights(TrainerCallback):
    """Tells DeepSpeed which weights a backward pass needs, where it cannot see that by itself."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Mark the modules, now that DeepSpeed has divided their weights."""
        if kwargs.get("model") is not None and is_divided(kwargs["model"]):
            fetch_before_backward(kwargs["model"])


class DeepSpeedTrainer(CheckpointedTrainer):
    """Trainer whose ``model.safetensors`` holds what the system learnt, whole, under every stage of ZeRO."""

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the system's own weights; where they are divided, every process takes part."""
        if not is_divided(self.model):
            super().save_model(output_dir, _internal_call)
            return
        state = self.model.state_dict()
        if self.args.should_save:
            self._save(output_dir or self.args.output_dir, state_dict=state)

    def _load_best_model(self) -> None:
        if not is_divided(self.model):
            super()._load_best_model()
        else:
            self.model.load_state_dict(load_file(Path(self.state.best_model_checkpoint) / "model.safetensors"))

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        engine = self.model_wrapped
        if not hasattr(engine, "zero_optimization_stage"):
            super()._save_optimizer_and_scheduler(output_dir)
            return
        # The Trainer leaves frozen weights out for a PeftModel only; a base LLM in every checkpoint fills the disk.
        frozen = {name for name, parameter in self.model.named_parameters() if not parameter.requires_grad}
        save = engine.save_checkpoint
        if not frozen & self.model.state_dict().keys():
            engine.save_checkpoint = partial(save, exclude_frozen_parameters=True)
        try:
            super()._save_optimizer_and_scheduler(output_dir)
        finally:
            engine.save_checkpoint = save
