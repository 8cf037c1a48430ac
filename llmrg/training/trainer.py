"""The training loop: transformers' Trainer with learning rates by part and validation by generated reports."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl
from transformers.integrations import TensorBoardCallback
from transformers.trainer_callback import PrinterCallback

from llmrg.pretraining import signals
from llmrg.pretraining.arguments import OneDeviceArguments
from llmrg.pretraining.augmentation_epoch import AugmentationEpoch
from llmrg.pretraining.precision import use_bf16
from llmrg.pretraining.time_limit import TimeLimit
from llmrg.studies.dataset import StudyDataset
from llmrg.systems.report_generator import ReportGenerator
from llmrg.training.context_encoding import ContextEncoding
from llmrg.training.deepspeed_checkpoints import DeepSpeedTrainer, FetchDividedWeights
from llmrg.training.early_end import EarlyEnd
from llmrg.training.launching import require_deepspeed
from llmrg.training.processes import PATIENCE, open_process_group, runs_on_gpu, world_size
from llmrg.training.schedule import build_schedule
from llmrg.training.settings import LoopConfig
from llmrg.training.validation import ReportValidation

__all__ = ["GeneratorTrainer", "build_trainer", "parameter_groups"]


def parameter_groups(system: nn.Module, config: LoopConfig) -> list[dict[str, Any]]:
    """Sort trainable parameters by part and by whether they decay.

    Normalisation weights, biases and embeddings of rank one do not decay, unless all shall. Parts are the language
    model, the study encoder, and everything between them.
    """
    rates = {
        "language_model": config.language_learning_rate or config.learning_rate,
        "encoder": config.vision_learning_rate or config.learning_rate,
        "evidence": config.learning_rate,
    }
    groups: dict[tuple[str, bool], list[nn.Parameter]] = {}
    for name, parameter in system.named_parameters():
        if not parameter.requires_grad:
            continue
        part = name.split(".", 1)[0]
        decays = parameter.dim() > 1 or config.decay == "all"
        groups.setdefault((part if part in rates else "evidence", decays), []).append(parameter)
    return [
        {"params": parameters, "lr": rates[part], "weight_decay": config.weight_decay if decays else 0.0}
        for (part, decays), parameters in groups.items()
    ]


class GeneratorTrainer(DeepSpeedTrainer):
    """transformers' Trainer for systems.

    Args:
        loop: the loop's configuration.
        validation: writes and scores validation reports.
        context: encodes the system's context studies before them.
        **options: of the :class:`llmrg.pretraining.checkpointed_trainer.CheckpointedTrainer`.
    """

    optimizer: torch.optim.Optimizer | None
    control: TrainerControl

    def __init__(
        self,
        *,
        loop: LoopConfig,
        validation: ReportValidation,
        context: ContextEncoding | None = None,
        **options: Any,
    ) -> None:
        self.context = context
        self.loop = loop
        self.validation = validation
        self._parts: dict[str, list[torch.Tensor]] = {}
        self._logged_step = 0
        self._loss_items: dict[str, torch.Tensor] | None = None
        super().__init__(**options)

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Build AdamW over the groups of :func:`parameter_groups`."""
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(parameter_groups(self.model, self.loop), lr=self.loop.learning_rate)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        """Build the schedule of :func:`llmrg.training.schedule.build_schedule`."""
        if getattr(self, "lr_scheduler", None) is None:
            built = optimizer if optimizer is not None else self.create_optimizer()
            self.lr_scheduler = build_schedule(built, self.loop, steps=num_training_steps)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        """Take the micro-batches of one step and count, over all processes, what their losses are means over."""
        samples, tokens = super().get_batch_samples(epoch_iterator, num_batches, device)
        system: ReportGenerator = self.accelerator.unwrap_model(self.model)
        counted = [system.loss_items(sample["batch"]) for sample in samples]
        self._loss_items = None
        if counted:
            names = sorted(counted[0])
            own = torch.stack([torch.stack([items[name] for name in names]) for items in counted]).sum(0)
            total = self.accelerator.reduce(own.to(device), reduction="sum")
            self._loss_items = dict(zip(names, total, strict=True))
        return samples, tokens

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Run the system and keep the loss's parts for the log."""
        outputs = model(**inputs, num_items_in_batch=num_items_in_batch, loss_items=self._loss_items)
        for name, value in outputs["output"].parts.items():
            self._parts.setdefault(name, []).append(value.float())
        loss = outputs["loss"]
        if num_items_in_batch is not None and self.args.average_tokens_across_devices and self.args.n_gpu <= 1:
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the loss's parts: sums over micro-batches and processes, means over the steps since the last line."""
        if "loss" in logs and self._parts:
            names = sorted(self._parts)
            own = torch.stack([torch.stack(self._parts[name]).sum() for name in names])
            sums = self.accelerator.reduce(own, reduction="sum")
            steps = max(1, self.state.global_step - self._logged_step)
            logs |= {f"loss_{name}": value / steps for name, value in zip(names, sums.tolist(), strict=True)}
            self._parts.clear()
            self._logged_step = self.state.global_step
        super().log(logs, start_time)

    def loop_state(self) -> dict[str, Any]:
        """Add the loss's parts since the last line of the log."""
        parts = {name: [float(value) for value in values] for name, values in self._parts.items()}
        return {**super().loop_state(), "parts": parts}

    def load_loop_state(self, state: dict[str, Any]) -> None:
        """Put the loss's parts back, too."""
        super().load_loop_state(state)
        self._logged_step = self._globalstep_last_logged
        device = self.args.device
        self._parts = {
            name: [torch.tensor(value, device=device) for value in values] for name, values in state["parts"].items()
        }

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Write and score validation reports, on all processes together."""
        system: ReportGenerator = self.accelerator.unwrap_model(self.model)
        processes = self.accelerator.num_processes
        if self.context is not None:
            self.context.encode(system)
        with signals.immediate(processes == 1):  # several processes end the evaluation together
            figures = self.validation(system, process=self.accelerator.process_index, processes=processes)
        # A figure that these studies do not define (no finding stated or written) must not end the training.
        named = {f"{metric_key_prefix}_{self.loop.metric}": 0.0}
        named |= {f"{metric_key_prefix}_{name}": value for name, value in figures.items()}
        self.log(named)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, named)
        return named


def build_trainer(
    system: ReportGenerator,
    dataset: StudyDataset,
    *,
    config: LoopConfig,
    validation: ReportValidation,
    folder: Path,
    seed: int,
    logs: Path | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    context: ContextEncoding | None = None,
    dry_run: bool = False,
    identity: Mapping[str, Any] | None = None,
    allow_changes: bool = False,
) -> GeneratorTrainer:
    """Set the Trainer up.

    Args:
        system: what is trained.
        dataset: training studies.
        config: the loop.
        validation: writes and scores validation reports.
        folder: for checkpoints.
        seed: of order and dropout.
        logs: folder for TensorBoard; None writes no such logs.
        callbacks: further callbacks (progress).
        context: encodes the context studies of a system that has some.
        dry_run: one step, nothing saved.
        identity: what training this is, for its checkpoints.
        allow_changes: see :class:`llmrg.pretraining.checkpointed_trainer.CheckpointedTrainer`.
    """
    processes = max(1, world_size())
    per_epoch = math.ceil(len(dataset) / (config.batch_size * processes * config.accumulation))
    steps = max(1, math.ceil(per_epoch * config.epochs))
    interval = math.ceil(steps / config.evaluations)  # the last one falls on the end, which is evaluated in any case
    on_gpu = runs_on_gpu()
    open_process_group()
    for parameter in system.parameters():
        if parameter.dim() and parameter.stride(-1) != 1:  # DeepSpeed sends parameters as bytes
            parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
    strategy = "no" if dry_run else "steps"
    arguments = OneDeviceArguments(
        output_dir=str(folder),
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulation,
        num_train_epochs=config.epochs,
        max_steps=1 if dry_run else -1,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=config.warmup,
        lr_scheduler_type="cosine",
        max_grad_norm=config.clip if config.clip is not None else 0.0,
        bf16=use_bf16(config.precision),
        activation_checkpointing=config.gradient_checkpointing,
        use_cpu=not on_gpu,
        seed=seed,
        data_seed=seed,
        eval_strategy=strategy,
        eval_steps=interval,
        save_strategy=strategy,
        save_steps=interval,
        load_best_model_at_end=not dry_run,
        metric_for_best_model=f"eval_{config.metric}",
        greater_is_better=True,
        logging_steps=config.logging_steps,
        report_to=[],
        remove_unused_columns=False,
        dataloader_num_workers=config.workers,
        dataloader_pin_memory=on_gpu,
        ddp_backend="gloo" if processes > 1 and not on_gpu else None,
        ddp_find_unused_parameters=True if processes > 1 else None,
        ddp_timeout=int(PATIENCE.total_seconds()),
        disable_tqdm=True,
        label_names=["labels"],
    )
    own = [] if context is None else [context]
    trainer = GeneratorTrainer(
        loop=config,
        validation=validation,
        context=context,
        identity=identity,
        keep=config.keep,
        allow_changes=allow_changes,
        model=system,
        args=arguments,
        train_dataset=dataset,
        eval_dataset=dataset,
        data_collator=system.collate,
        callbacks=[
            AugmentationEpoch(),
            TimeLimit(config.max_minutes),
            EarlyEnd(),
            FetchDividedWeights(),
            *own,
            *callbacks,
        ],
    )
    require_deepspeed(trainer.is_deepspeed_enabled)
    if logs is not None and config.tensorboard and not dry_run:
        tensorboard = TensorBoardCallback()
        tensorboard.logging_dir = str(logs)
        trainer.add_callback(tensorboard)
    trainer.remove_callback(PrinterCallback)  # our own progress callback speaks instead
    return trainer
