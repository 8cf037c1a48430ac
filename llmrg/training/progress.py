"""Progress of a training on the terminal: steps, loss, time left."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

__all__ = ["ProgressReport"]

_GRAPH_FIGURES = ("entity_f1", "relation_f1", "pair_f1")


class ProgressReport(TrainerCallback):
    """A bar on a terminal; a line now and then elsewhere.

    Args:
        name: what is being trained.
        lines: how many lines a whole training prints where there is no terminal.
    """

    def __init__(self, name: str, *, lines: int = 8) -> None:
        self.name = name
        self.lines = lines
        self.console = Console(stderr=True)
        self.progress: Progress | None = None
        self.task: Any = None
        self.loss = ""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Show the bar."""
        if not state.is_world_process_zero:
            return
        self.progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.progress.start()
        self.task = self.progress.add_task(self.name, total=state.max_steps, completed=state.global_step, loss="")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Remember the loss; print validation figures."""
        if logs is None or not state.is_world_process_zero:
            return
        if "loss" in logs:
            self.loss = f"loss {logs['loss']:.3f}"
        figures = {name.removeprefix("eval_"): value for name, value in logs.items() if name.startswith("eval_")}
        if figures:
            shown = ("clinical_micro_f1", "side_accuracy", "bleu_4", "rouge_l", "distinct_ratio", *_GRAPH_FIGURES)
            words = ", ".join(f"{name} {figures[name]:.3f}" for name in shown if name in figures)
            self.console.print(f"  {self.name}, step {state.global_step}, validation: {words}", highlight=False)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Move the bar."""
        if self.progress is None:
            return
        self.progress.update(self.task, completed=state.global_step, loss=self.loss)
        every = max(1, state.max_steps // self.lines)
        if self.progress.disable and (state.global_step % every == 0 or state.global_step == state.max_steps):
            left = self.progress.tasks[0].time_remaining
            words = "" if left is None else f", about {left:.0f} s left"
            self.console.print(
                f"  {self.name}: step {state.global_step} of {state.max_steps}, {self.loss or 'no loss yet'}{words}",
                highlight=False,
            )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take the bar away."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
