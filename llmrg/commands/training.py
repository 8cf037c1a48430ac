"""Training: a system, its parts before it, its memories."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from llmrg.commands.arguments import AsJson, Configuration, Overrides
from llmrg.console import print_json

__all__ = ["build_memory", "pretrain", "train"]

DryRun = Annotated[bool, typer.Option("--dry-run", help="Build everything, run one batch, write nothing and stop.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last complete checkpoint.")]


class Kind(StrEnum):
    """What ``llmrg pretrain`` trains."""

    LANGUAGE_MODEL = "language-model"
    DISEASE_CLASSIFIER = "disease-classifier"
    GRAPH_EXTRACTOR = "graph-extractor"


def pretrain(kind: Kind, config: Configuration, overrides: Overrides = None, resume: Resume = False) -> None:
    """Train a part before the generator, from the training split alone.

    CONFIG is that of the training that will use it. ``llmrg train`` builds what is missing by itself; this builds one
    part anew. A graph-extractor, which reads reports and needs annotated ones, has a CONFIG of its own.
    """
    if kind is Kind.GRAPH_EXTRACTOR:
        _pretrain_graph_extractor(config, overrides, resume=resume)
        return
    from llmrg.training.run import build_stage

    stage = kind.value.replace("-", "_")
    typer.echo(build_stage(stage, config, overrides or (), resume=resume, producer=f"llmrg pretrain {kind.value}"))


def _pretrain_graph_extractor(config: Path, overrides: list[str] | None, *, resume: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from llmrg.pretraining.graph_extractor import train_graph_extractor
    from llmrg.training.progress import ProgressReport

    trained = train_graph_extractor(
        config, overrides or (), resume=resume, callbacks=[ProgressReport("graph extractor")]
    )
    parts = [name for name in ("validation", "test") if name in trained.details]
    table = Table(title=f"{trained.version}, epoch {trained.details['epoch']:g}")
    table.add_column("figure")
    for name in parts:
        table.add_column(f"{name} ({trained.details[f'{name}_reports']:,} reports)", justify="right")
    for figure in trained.details["validation"]:
        table.add_row(figure, *(f"{trained.details[name][figure]:.4f}" for name in parts))
    Console().print(table)
    typer.echo(trained.out)


def build_memory(config: Configuration, overrides: Overrides = None) -> None:
    """Build the visual and the report memory from the training split (CONFIG is that of the training)."""
    from llmrg.training.run import build_stage

    typer.echo(build_stage("memory", config, overrides or (), producer="llmrg build-memory"))


def train(
    config: Configuration,
    overrides: Overrides = None,
    dry_run: DryRun = False,
    resume: Resume = False,
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="With --resume: go on although settings of the loop changed.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only tell parameters, memory, disk and hours. Needs no weights and no data.")
    ] = False,
    launch: Annotated[Path | None, typer.Option(metavar="FILE", help="With --plan: a launch file.")] = None,
    processes: Annotated[int | None, typer.Option(help="With --launch: processes in all.", min=1)] = None,
    studies: Annotated[int | None, typer.Option(help="With --plan: training studies.", min=1)] = None,
    device: Annotated[str | None, typer.Option(help="With --plan: cpu, a100, h100, rtx4090, ...")] = None,
    gpu_memory: Annotated[float | None, typer.Option(help="With --plan: of each GPU, GB.", min=0.1)] = None,
    flops: Annotated[float | None, typer.Option(help="With --plan: FLOP/s that the device achieves.", min=1)] = None,
    report_tokens: Annotated[
        int | None, typer.Option(help="With --plan: tokens of the longest report of a batch.", min=1)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a system; the same as ``accelerate launch -m llmrg.train CONFIG``."""
    if plan:
        from llmrg.training.planning.command import plan_command
        from llmrg.training.planning.view import print_plan

        planned = plan_command(
            config,
            overrides or (),
            launch=launch,
            processes=processes,
            studies=studies,
            device=device,
            gpu_memory=gpu_memory,
            flops=flops,
            report_tokens=report_tokens,
        )
        if as_json:
            print_json(planned.to_json())
        else:
            print_plan(planned)
        return
    from llmrg.training.run import train as train_system

    typer.echo(train_system(config, overrides or (), dry_run=dry_run, resume=resume, allow_changes=allow_changes))
