"""The index of similar studies: build, search, describe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmrg.commands.arguments import AsJson, Configuration, Overrides
from llmrg.console import print_json
from llmrg.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["index_app"]

index_app = typer.Typer(help="The index of similar studies: build, search, describe.", no_args_is_help=True)

IndexFolder = Annotated[
    Path, typer.Argument(metavar="INDEX", help="A run, or the folder of an index.", show_default=False)
]


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
