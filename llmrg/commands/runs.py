"""What a run is used for: generating reports, sharing it, taking a patient out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmrg.commands.arguments import AsJson

__all__ = ["export", "generate", "remove_patient"]


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
        str | None,
        typer.Option(
            help="greedy, beam, sampling, published, published_iu or published_iu_beam5; by default as the "
            "run was trained."
        ),
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
    maps: Annotated[
        bool, typer.Option("--maps", help="Write where each disease query looked into the records, to be scored.")
    ] = False,
    without: Annotated[
        list[str] | None, typer.Option(metavar="SOURCE", help="An evidence source that the model does not hear.")
    ] = None,
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
        maps=maps,
        without=without or (),
        as_json=as_json,
    )


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


def remove_patient(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run, or a folder of artefacts.", show_default=False)],
    patients: Annotated[list[str], typer.Argument(metavar="PATIENT...", help="Identifiers.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Remove patients from what a run remembers: index and memories. Weights may still remember them."""
    from llmrg.generation.sharing import remove_patient_command

    remove_patient_command(folder, patients, as_json=as_json)
