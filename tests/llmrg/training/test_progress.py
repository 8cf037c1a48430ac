"""Progress where there is no terminal: a few lines, with loss and time left."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from llmrg.training.progress import ProgressReport


def run(steps: int, *, main: bool = True, lines: int = 4) -> str:
    written = StringIO()
    progress = ProgressReport("llmrg", lines=lines)
    progress.console = Console(file=written, width=200)
    state: Any = SimpleNamespace(is_world_process_zero=main, max_steps=steps, global_step=0)
    nothing: Any = SimpleNamespace()
    progress.on_train_begin(nothing, state, nothing)
    for step in range(1, steps + 1):
        state.global_step = step
        progress.on_step_end(nothing, state, nothing)
        progress.on_log(nothing, state, nothing, logs={"loss": 1.0 / step})
    progress.on_log(nothing, state, nothing, logs={"eval_clinical_micro_f1": 0.5, "eval_bleu_4": 0.25})
    progress.on_train_end(nothing, state, nothing)
    return written.getvalue()


def test_a_few_lines_for_any_length() -> None:
    for steps in (3, 40, 400):
        lines = run(steps).splitlines()
        assert 3 <= len(lines) <= 6
        assert f"step {steps} of {steps}" in lines[-2]
        assert "loss 0." in lines[-2] or "loss 1." in lines[-2]
    assert "left" in run(400)


def test_validation_figures_are_told() -> None:
    assert run(4).splitlines()[-1].split("validation: ")[1] == "clinical_micro_f1 0.500, bleu_4 0.250"


def test_other_processes_are_silent() -> None:
    assert run(4, main=False) == ""
