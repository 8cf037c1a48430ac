"""Activation maps: the command that mines regions of training films."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmrg.commands.arguments import AsJson, Configuration, Overrides
from llmrg.console import print_json

__all__ = ["mine_maps"]


def mine_maps(
    config: Configuration,
    overrides: Overrides = None,
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Draw some films with maps and mined cells there (films of patients)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Mine the regions of training films that speak for their findings, for the visual memory.

    CONFIG is that of the training. The disease classifier must be there; stages.memory.visual=regions makes the visual
    memory of what is mined.
    """
    from llmrg.training.mining_command import mine_maps as mine

    mined = mine(config, overrides or (), pictures=pictures)
    if as_json:
        print_json(mined.to_json())
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{mined.regions:,} regions of training films")
    table.add_column("finding")
    columns = ("studies", "films", "films_with_cells", "cells", "kept")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for name, counts in mined.counts.items():
        table.add_row(name, *(f"{counts[column]:,}" for column in columns))
    Console().print(table)
    typer.echo(mined.path)
