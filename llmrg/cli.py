"""The command ``llmrg``: each sub-command reads its arguments and calls one function of a room.

Rooms are imported inside the commands, so that ``llmrg --help`` is quick and needs no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmrg.console import print_json, run_command, start_logging
from llmrg.errors import UserError
from llmrg.version import __version__

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["app", "main"]

app = typer.Typer(
    help="Train, compare and run LLM-based chest X-ray report generators in Chinese and English.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Data sets: draw phantoms, check, prepare films, split patients.", no_args_is_help=True)
index_app = typer.Typer(help="The index of similar studies: build, search, describe.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(index_app, name="index")

Configuration = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY.SUB=VALUE]...", help="Values that replace those of the file.", show_default=False),
]
IndexFolder = Annotated[
    Path, typer.Argument(metavar="INDEX", help="A run, or the folder of an index.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print figures as JSON.")]
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
DryRun = Annotated[bool, typer.Option("--dry-run", help="Build everything, run one batch, write nothing and stop.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last complete checkpoint.")]


class Kind(StrEnum):
    """What ``llmrg pretrain`` trains."""

    LANGUAGE_MODEL = "language-model"
    DISEASE_CLASSIFIER = "disease-classifier"


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


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Show what is installed, the devices, optional parts, and what to do about what is missing."""
    from dataclasses import asdict

    from llmrg.doctor import examine, healthy, print_checks

    checks = examine()
    if as_json:
        print_json({"healthy": healthy(checks), "checks": [asdict(check) for check in checks]})
    else:
        print_checks(checks)
    if not healthy(checks):
        raise typer.Exit(2)


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


@app.command()
def pretrain(kind: Kind, config: Configuration, overrides: Overrides = None, resume: Resume = False) -> None:
    """Train a part before the generator, from the training split alone.

    CONFIG is that of the training that will use it. ``llmrg train`` builds what is missing by itself; this builds one
    part anew.
    """
    from llmrg.training.run import build_stage

    stage = kind.value.replace("-", "_")
    typer.echo(build_stage(stage, config, overrides or (), resume=resume, producer=f"llmrg pretrain {kind.value}"))


@app.command("build-memory")
def build_memory(config: Configuration, overrides: Overrides = None) -> None:
    """Build the visual and the report memory from the training split (CONFIG is that of the training)."""
    from llmrg.training.run import build_stage

    typer.echo(build_stage("memory", config, overrides or (), producer="llmrg build-memory"))


@index_app.command("build")
def index_build(config: Configuration, overrides: Overrides = None) -> None:
    """Build the index of similar studies from the training split (CONFIG is that of the training)."""
    from llmrg.training.run import build_stage

    typer.echo(build_stage("index", config, overrides or (), producer="llmrg index build"))


@index_app.command("info")
def index_info(
    index: IndexFolder,
    as_json: AsJson = False,
) -> None:
    """Describe an index: how many records and patients, of which encoder, how it was made."""
    from llmrg.generation.similar_studies import find_index
    from retrieval_index import RetrievalIndex

    manifest = RetrievalIndex.load(find_index(index), gpu="never").manifest
    if as_json:
        print_json(manifest)
        return
    for key, value in {**manifest.pop("details", {}), **manifest}.items():
        typer.echo(f"{key}: {value}")


@index_app.command("search")
def index_search(
    index: IndexFolder,
    images: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[IMAGE]...", help="Films of one study (INDEX is then a run).", show_default=False),
    ] = None,
    vectors: Annotated[Path | None, typer.Option(help="Instead of films: a .npy file [Q, D], one query a row.")] = None,
    k: Annotated[int, typer.Option("-k", help="Studies a query.", min=1)] = 5,
    exclude_patient: Annotated[list[str] | None, typer.Option(help="A patient that may not be found.")] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A label that hits must have.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find the training studies that are most like a study."""
    from llmrg.generation.similar_studies import encode_films, search_index

    if bool(images) == (vectors is not None):
        raise UserError("Films or vectors are needed, and not both", next_step="llmrg index search RUN IMAGE...")
    found = search_index(
        index,
        encode_films(index, images or ()) if vectors is None else _read_vectors(vectors),
        k=k,
        exclude_patients=exclude_patient or (),
        labels=[_read_condition(text) for text in label or ()],
    )
    if as_json:
        print_json(found)
        return
    for query, hits in enumerate(found):
        for hit in hits:
            labels = ", ".join(sorted(name for name, value in hit["labels"].items() if value == "positive"))
            typer.echo(f"{query}\t{hit['id']}\t{hit['similarity']:.4f}\t{labels}")


@app.command()
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


@app.command()
def generate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.", show_default=False)],
    images: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[IMAGE]...", help="Films of one study: PNG, JPEG or DICOM.", show_default=False),
    ] = None,
    data: Annotated[Path | None, typer.Option(metavar="CONFIG", help="Data set; by default the run's own.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replaces a value of the data set's file.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which split of the data set.")] = "test",
    out: Annotated[Path | None, typer.Option(metavar="FILE.jsonl", help="Where to; needed for a data set.")] = None,
    evidence: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for evidence pictures.")] = None,
    decoding: Annotated[
        str | None, typer.Option(help="greedy, beam or sampling; by default as the run was trained.")
    ] = None,
    max_new_tokens: Annotated[int | None, typer.Option(help="Longest report, tokens.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Of sampling.")] = None,
    batch_size: Annotated[int, typer.Option(help="Studies at once.", min=1)] = 32,
    limit: Annotated[int | None, typer.Option(help="Only the first so many studies of the split.", min=1)] = None,
    prompt: Annotated[str | None, typer.Option(help="Replaces the prompt's instruction.")] = None,
    language: Annotated[str | None, typer.Option(help="zh or en; for a run that writes both.")] = None,
    view: Annotated[list[str] | None, typer.Option(help="View of each film, in order: PA, lateral, ...")] = None,
    age: Annotated[float | None, typer.Option(help="Years.", min=0)] = None,
    sex: Annotated[str | None, typer.Option(help="As a word.")] = None,
    indication: Annotated[str | None, typer.Option(help="Why the examination was asked for.")] = None,
    language_model: Annotated[str | None, typer.Option(help="Another place of the base language model.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of one study from its films, or the reports of a split of a data set."""
    from llmrg.generation.command import generate_command

    generate_command(
        run,
        images or (),
        data=data,
        overrides=set_ or (),
        split=split,
        out=out,
        evidence=evidence,
        preset=decoding,
        max_new_tokens=max_new_tokens,
        seed=seed,
        batch_size=batch_size,
        limit=limit,
        prompt=prompt,
        language=language,
        views=view,
        age=age,
        sex=sex,
        indication=indication,
        language_model=language_model,
        as_json=as_json,
    )


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to; a directory that does not exist yet.")],
    merge: Annotated[
        bool, typer.Option("--merge", help="Merge the adapters; the export then needs no other model.")
    ] = False,
    without_data: Annotated[bool, typer.Option("--without-data", help="Leave patient data out.")] = False,
    data: Annotated[
        Path | None, typer.Option(metavar="CONFIG", help="Data whose words are searched for; by default the run's own.")
    ] = None,
    language_model: Annotated[str | None, typer.Option(help="Another place of the base language model.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a copy of a run that can be shared; paths of this machine are left out."""
    from llmrg.generation.command import load_data_config
    from llmrg.generation.sharing import export_command

    export_command(
        run,
        out,
        merge=merge,
        without_data=without_data,
        language_model=language_model,
        data=None if data is None else load_data_config(data),
        as_json=as_json,
    )


@app.command("remove-patient")
def remove_patient(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run, or a folder of artefacts.", show_default=False)],
    patients: Annotated[list[str], typer.Argument(metavar="PATIENT...", help="Identifiers.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Remove patients from what a run remembers: index and memories. Weights may still remember them."""
    from llmrg.generation.sharing import remove_patient_command

    remove_patient_command(folder, patients, as_json=as_json)


@app.command()
def benchmark(config: Configuration, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Compare systems with the baselines on a data set: results.json, a table, an HTML page."""
    from llmrg.benchmark.run import run_benchmark
    from llmrg.benchmark.settings import BenchmarkConfig
    from llmrg.config import load_config

    settings = load_config(BenchmarkConfig, config, overrides or ())
    results = run_benchmark(settings)
    if as_json:
        typer.echo((settings.out / "results.json").read_text(encoding="utf-8"))
        return
    from rich.console import Console

    from llmrg.benchmark.table import console_table

    Console().print(console_table(results))
    typer.echo(f"Page: {settings.out / 'index.html'}")


def _read_vectors(path: Path) -> NDArray[np.float32]:
    import numpy as np

    try:
        return np.atleast_2d(np.load(path, allow_pickle=False)).astype(np.float32)
    except ValueError as error:
        raise UserError("The vectors cannot be read: a .npy file of numbers is needed", where=str(path)) from error


def _read_condition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"{text!r} is not a label condition", next_step="write --label NAME=VALUE")
    return name, value


if __name__ == "__main__":
    main()
