"""Data sets: draw phantoms, check, prepare films, split patients, write reports to a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from llmrg.commands.arguments import AsJson, Overrides
from llmrg.console import print_json

__all__ = ["data_app"]

data_app = typer.Typer(
    help="Data sets: draw phantoms, check, prepare films, split patients, write reports to a file.",
    no_args_is_help=True,
)

DataSource = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG",
        help="YAML file of a data set or of a training, or the first of KEY=VALUE... alone.",
        show_default=False,
    ),
]
Member = Annotated[str | None, typer.Option(metavar="NAME", help="Which data set of a mixture.")]
Workers = Annotated[int | None, typer.Option(help="Processes; by default one a core.", min=1)]


@data_app.command()
def phantom(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.", show_default=False)],
    format_: Annotated[str, typer.Option("--format", help="Layout on disk, for example ped-xray or chexpert-plus.")],
    studies: Annotated[int, typer.Option(help="How many studies, each with two films.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.", min=0)] = 0,
    size: Annotated[int, typer.Option(help="Side of the films, pixels.", min=32, max=1280)] = 224,
    preset: Annotated[str, typer.Option(help="easy (for a smoke test) or bench (for claims).")] = "easy",
    shifted: Annotated[bool, typer.Option("--shifted", help="Other exposure, anatomy and wording.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one a core.", min=1)] = None,
) -> None:
    """Draw radiographs with known findings and paired reports, in the layout of a data set.

    A folder that was drawn with the same arguments is kept as it is.
    """
    from llmrg.studies.phantoms.dataset import draw_dataset

    root = draw_dataset(
        out,
        format=format_,
        studies=studies,
        seed=seed,
        size=size,
        preset=preset,
        shifted=shifted,
        workers=workers,
        progress=sys.stderr.isatty(),
    )
    typer.echo(root)


@data_app.command()
def check(
    config: DataSource,
    overrides: Overrides = None,
    member: Member = None,
    films: Annotated[bool, typer.Option("--films/--no-films", help="Open every film.")] = True,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Tell whether a data set is sound, and what it is like. Exits 0 if it is sound, 1 if a problem was found.

    Problems are studies and films that cannot be used, films of one grey value, and patients or films that stand in
    several splits. Reports that occur again are counted, but are no problem: normal reports are much alike.
    """
    from llmrg.studies.check import check_data
    from llmrg.studies.configuration import read_data_config
    from llmrg.studies.data_tables import check_tables, film_progress

    settings = read_data_config(config, overrides or (), member=member)
    with film_progress("opening films") as progress:
        found = check_data(settings, films=films, workers=workers, progress=progress)
    if as_json:
        print_json(found.as_json())
    else:
        from rich.console import Console

        Console().print(check_tables(found), highlight=False)
    if not found.sound:
        raise typer.Exit(1)


@data_app.command()
def prepare(
    config: DataSource,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to make, or to go on with.", show_default=False)],
    overrides: Overrides = None,
    member: Member = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the films, pixels; by default image_size.", min=8, max=4096)
    ] = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Decode and resize all films once; training reads them with data.prepared=DIR, the same pixels much quicker.

    A run that was stopped goes on when it is run again; films that have changed or are damaged are prepared anew. Films
    that cannot be used are named and counted.
    """
    from llmrg.studies.configuration import read_data_config
    from llmrg.studies.data_tables import film_progress, prepared_text
    from llmrg.studies.prepare import prepare_films

    settings = read_data_config(config, overrides or (), member=member)
    with film_progress("preparing films") as progress:
        result = prepare_films(settings, out, size=size, workers=workers, progress=progress)
    if as_json:
        print_json(result.as_json())
    else:
        typer.echo(prepared_text(result))


@data_app.command()
def split(
    config: DataSource,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Split file: .csv or .json.", show_default=False)],
    overrides: Overrides = None,
    member: Member = None,
    fractions: Annotated[
        tuple[float, float, float], typer.Option(metavar="TRAIN VAL TEST", help="Shares of the studies.")
    ] = (0.7, 0.1, 0.2),
    seed: Annotated[int, typer.Option(help="Another seed gives another split.", min=0)] = 0,
    replace: Annotated[bool, typer.Option("--replace", help="A file with another split may be replaced.")] = False,
    as_json: AsJson = False,
) -> None:
    """Split the patients of a data set so that every finding has its share in each split; used by split_file=FILE.

    All studies of a patient go to one split. Splits that the data set ships are not looked at. The result depends on
    the studies, the shares and the seed alone.
    """
    from llmrg.studies.configuration import read_data_config
    from llmrg.studies.data_tables import split_table
    from llmrg.studies.split_command import split_dataset

    settings = read_data_config(config, overrides or (), member=member)
    result = split_dataset(settings, out, fractions=fractions, seed=seed, overwrite=replace)
    if as_json:
        from dataclasses import asdict

        print_json(asdict(result))
    else:
        from rich.console import Console

        Console().print(split_table(result), highlight=False)


@data_app.command()
def reports(
    config: DataSource,
    out: Annotated[Path, typer.Option(metavar="FILE.jsonl", help="Where to.", show_default=False)],
    overrides: Overrides = None,
    member: Member = None,
    split: Annotated[str, typer.Option(help="Which split.")] = "test",
    as_json: AsJson = False,
) -> None:
    """Write the reports of a split as JSON Lines (id, patient_id, language, report): references for `llmrg score`."""
    from dataclasses import asdict

    from llmrg.studies.configuration import read_data_config
    from llmrg.studies.report_file import write_report_file

    result = write_report_file(read_data_config(config, overrides or (), member=member), split, out)
    if as_json:
        print_json(asdict(result))
        return
    left_out = f" ({result.empty} without a report are left out)" if result.empty else ""
    typer.echo(f"{result.studies} reports of {result.patients} patients{left_out}: {result.path}")
