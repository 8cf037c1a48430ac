"""Taking part in the ReXrank leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["rexrank"]


def rexrank(
    studies: Annotated[Path, typer.Argument(metavar="STUDIES.json", help="ReXrank's file.", show_default=False)],
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="JSON Lines of id and report.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="The submission to write.")],
) -> None:
    """Write a ReXrank submission from predictions: its file of studies with the reports put in."""
    from llmrg.benchmark.submission import submit

    count = submit(studies, predictions, out)
    typer.echo(f"{count} reports: {out}")
