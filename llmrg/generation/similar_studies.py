"""Training studies that are most like a study given by its films, from the index in a run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmrg.artefacts import read_manifest
from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.evidence.encoder import load_encoder
from llmrg.studies.dataset import collate_studies, read_films
from llmrg.studies.from_files import study_from_files
from llmrg.systems.run import RunConfig
from retrieval_index import LabelFilter, RetrievalIndex

__all__ = ["encode_films", "find_index", "search_index"]

_INDEX_FILE = "index.faiss"
_PLACES = (".", "faiss", "index/faiss", "artefacts/index/faiss")


def find_index(folder: str | Path) -> Path:
    """Return the folder of the index itself: ``folder``, or the one inside an artefact, a folder of them, or a run.

    Raises:
        UserError: there is none.
    """
    folder = Path(folder)
    for place in _PLACES:
        if (folder / place / _INDEX_FILE).is_file():
            return folder / place
    raise UserError(
        "There is no index here", where=str(folder), next_step="name a run, or build one: llmrg index build CONFIG"
    )


def encode_films(run: str | Path, images: Sequence[str | Path]) -> NDArray[np.float32]:
    """Encode one study with the frozen encoder that a run's index was made with; no language model is loaded.

    Args:
        run: the run directory.
        images: films of the study, all views.

    Returns:
        [1, D], the study's retrieval vector.

    Raises:
        UserError: not a run with an encoder, or films that cannot be read.
    """
    run = Path(run)
    read_manifest(run).require(kind="run", where=run)
    data = load_config(RunConfig, run / "run.yaml").data
    encoder, _ = load_encoder(run / "artefacts" / "disease_classifier")
    study = study_from_files(images, language=data.languages[0])
    vectors = encoder.encode([collate_studies([(study, read_films(study, data), {})])])["vectors"]
    return np.asarray(vectors.numpy(), dtype=np.float32)


def search_index(
    folder: str | Path,
    queries: NDArray[np.float32],
    *,
    k: int,
    exclude_patients: Collection[str] = (),
    labels: Sequence[tuple[str, str]] = (),
) -> list[list[dict[str, Any]]]:
    """Return the ``k`` most similar records of each query: ``id``, ``patient``, ``labels`` and ``similarity``.

    Args:
        folder: see :func:`find_index`.
        queries: [Q, D].
        k: hits a query.
        exclude_patients: patients that may not be found.
        labels: label and value that every hit must have.

    Raises:
        UserError: there is no index.
        RetrievalIndexError: the queries do not fit it.
    """
    index = RetrievalIndex.load(find_index(folder))
    hits = index.search(
        queries,
        k,
        exclude_patients=[set(exclude_patients)] * len(queries),
        where=LabelFilter(all_of=tuple(labels)) if labels else None,
    )
    found = []
    for query in range(len(hits)):
        records = [(index.records[hit.row], hit.score) for hit in hits[query]]
        found.append(
            [
                {
                    "id": record.id,
                    "patient": record.patient,
                    "labels": dict(record.labels),
                    "similarity": round(similarity, 6),
                }
                for record, similarity in records
            ]
        )
    return found
