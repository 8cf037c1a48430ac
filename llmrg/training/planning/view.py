"""A plan as tables on the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from llmrg.training.planning.plan import MEMORY_ERROR, TIME_FACTOR, TrainingPlan

__all__ = ["plan_tables", "print_plan", "verdict"]


def print_plan(plan: TrainingPlan, console: Console | None = None) -> None:
    """Print a plan; its first line says whether it fits."""
    console = console or Console()
    console.print(verdict(plan), style=None if plan.fits is not False else "bold red", highlight=False, soft_wrap=True)
    console.print(plan_tables(plan))


def verdict(plan: TrainingPlan) -> str:
    """Say in one line whether the training fits the memory there is."""
    peak, where = _size(plan.memory.peak), "memory" if plan.memory.on_processor else "GPU memory"
    each = f" in each of {plan.launch.processes} processes" if plan.launch.processes > 1 else ""
    need = f"needs {peak} of {where}{each} (within {MEMORY_ERROR:.0%})"
    if plan.available is None:
        return f"{plan.name} {need}."
    if not plan.fits:
        return f"{plan.name} does not fit {_size(plan.available)}: it {need}."
    close = " Little is left." if plan.memory.peak * (1 + MEMORY_ERROR) > plan.available else ""
    return f"{plan.name} fits {_size(plan.available)}: it {need}.{close}"


def plan_tables(plan: TrainingPlan) -> Group:
    """Lay the parts of a plan out as tables."""
    parameters = Table("part", "trainable_parameters", "total_parameters", title="Parameters")
    for name, part in plan.parts.parts.items():
        parameters.add_row(name, f"{part.trainable:,}", f"{part.total:,}")
    parameters.add_section()
    parameters.add_row("all", f"{plan.parts.trainable:,}", f"{plan.parts.total:,}")
    memory = Table("part", "size", "when", title="Memory of one process")
    for when, parts in (
        ("always", plan.memory.always),
        ("training step", plan.memory.step),
        ("validation", plan.memory.validation),
        ("always" if plan.memory.on_processor else "in the host's memory", plan.memory.host),
    ):
        _rows(memory, parts, when)
    disk = Table("what", "size", title="Disk")
    _rows(disk, plan.disk)
    disk.add_section()
    disk.add_row("all", _size(sum(plan.disk.values())))
    time = Table("stage", "time", title=f"Time on {plan.device.name} (a factor of {TIME_FACTOR:g} either way)")
    for name, seconds in plan.time.stages.items():
        time.add_row(name, _duration(seconds))
    time.add_section()
    time.add_row("all", _duration(sum(plan.time.stages.values())))
    for table in (parameters, memory, disk, time):
        table.title_justify = "left"
        for column in table.columns[1:]:
            column.justify = "right"
    return Group(parameters, memory, disk, time, _notes(plan))


def _notes(plan: TrainingPlan) -> Text:
    zero = f", ZeRO-{plan.launch.zero_stage}" if plan.launch.zero_stage else ""
    machines = f" on {plan.launch.machines} machines" if plan.launch.machines > 1 else ""
    lines = [
        f"Studies: {plan.counts.training:,} training, {plan.counts.validation:,} validation ({plan.counts.basis}).",
        f"Launch: {plan.launch.processes} process(es){machines}{zero}; "
        f"{'bfloat16' if plan.bf16 else 'float32'}; activations of the language model "
        f"{'recomputed' if plan.checkpointing else 'kept'}.",
        f"A batch's longest sequence is taken as {plan.tokens} tokens (--report-tokens changes it).",
        f"{plan.device.name}: {plan.device.basis} (--flops changes it). One step: {plan.time.step:.3g} s; "
        "reading films comes on top where it is slower.",
    ]
    return Text("\n".join(lines))


def _rows(table: Table, parts: Mapping[str, int], *more: str) -> None:
    for name, size in parts.items():
        if size:
            table.add_row(name, _size(size), *more)


def _size(size: float) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size / 1e3:.1f} kB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
