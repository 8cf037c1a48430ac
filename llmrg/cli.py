"""The command ``llmrg``: each sub-command reads its arguments and calls one function of a room."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from llmrg.commands.data import data_app
from llmrg.commands.examine import doctor
from llmrg.commands.index import index_app
from llmrg.commands.measuring import benchmark, compare, graph, label, score
from llmrg.commands.mining import mine_maps
from llmrg.commands.rexrank import rexrank
from llmrg.commands.runs import export, generate, remove_patient
from llmrg.commands.training import build_memory, pretrain, train
from llmrg.console import run_command, start_logging
from llmrg.version import __version__

__all__ = ["app", "main"]

app = typer.Typer(
    help="Train, compare and run LLM-based chest X-ray report generators in Chinese and English.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    doctor,
    pretrain,
    mine_maps,
    build_memory,
    train,
    generate,
    label,
    graph,
    score,
    compare,
    benchmark,
    rexrank,
    export,
    remove_patient,
):
    app.command(command.__name__.replace("_", "-"))(command)
app.add_typer(data_app, name="data")
app.add_typer(index_app, name="index")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end the process: 0 on success, 2 with one message on a user's error."""
    given = None if arguments is None else list(arguments)
    sys.exit(run_command(lambda: app(args=given, prog_name="llmrg")))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log details too.")] = False,
) -> None:
    start_logging(verbose=verbose)


if __name__ == "__main__":
    main()
