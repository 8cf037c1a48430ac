"""A report for one study from its image files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from llmrg.errors import UserError
from llmrg.generation.records import prediction_record
from llmrg.generation.writing import Written, study_seed
from llmrg.language.decoding import IncrementalText
from llmrg.language.settings import DecodingConfig
from llmrg.studies.dataset import collate_studies, read_films
from llmrg.studies.from_files import study_from_files
from llmrg.studies.study import Context, Language
from llmrg.systems.run import Run
from llmrg.vision.token_centres import token_offset

__all__ = ["generate_from_files"]

logger = logging.getLogger(__name__)


def generate_from_files(
    run: Run,
    images: Sequence[Path],
    *,
    views: Sequence[str] | None = None,
    context: Context | None = None,
    language: str | None = None,
    decoding: DecodingConfig | None = None,
    instruction: str | None = None,
    evidence: Path | None = None,
    relative_to: Path | None = None,
    on_text: Callable[[str], None] | None = None,
    maps: bool = False,
    without: Collection[str] = (),
) -> dict[str, Any]:
    """Write the report of one study.

    Args:
        run: the run.
        images: its films, all views.
        views: view of each film; guessed from the file names by default.
        context: what is known before reading.
        language: of the report; one that the run was trained on, and needed where it was trained on several.
        decoding: None takes the run's own.
        instruction: replaces the prompt's instruction.
        evidence: folder for pictures.
        relative_to: folder that picture paths are relative to; None takes the one that ``evidence`` lies in.
        on_text: called with new text as it is written (greedy and sampling).
        maps: write where every disease query looked into the record.
        without: evidence sources that the decoder does not hear.

    Returns:
        The prediction record.

    Raises:
        UserError: films cannot be read, the run does not write the language, or writes several and none is named; or
            ``without`` names a source that the run lacks.
    """
    data = run.config.data
    study = study_from_files(images, language=_language(run, language), views=views, context=context)
    if len(study.images) > data.views:
        logger.warning(
            "%d films are given, but the run was trained on at most %d a study", len(study.images), data.views
        )
    decoding = decoding or run.config.decoding
    removed = run.system.removable(without)
    films = read_films(study, data)
    stream = IncrementalText(run.system.language_model.tokenizer)

    def show(_: int, token: int) -> None:
        if on_text is not None:
            on_text(stream.push(token))

    report = run.system.generate(
        collate_studies([(study, films, {})]),
        decoding,
        on_token=show if on_text is not None and decoding.strategy != "beam" else None,
        instruction=instruction,
        with_records=True,
        seeds=[study_seed(decoding.seed, study.id)],
        without=removed,
    )[0]
    offset = token_offset(run.system.encoder.backbone, image_size=data.image_size) if report.maps else (0.0, 0.0)
    written = Written(study=study, report=report, films=films, offset=offset)
    if relative_to is None and evidence is not None:
        relative_to = evidence.parent
    return prediction_record(
        written, language=study.language, evidence=evidence, relative_to=relative_to, maps=maps, without=removed
    )


def _language(run: Run, wanted: str | None) -> Language:
    known = run.config.data.languages
    for language in known:
        if wanted == language or (wanted is None and len(known) == 1):
            return language
    names = " and ".join(map(repr, known))
    if wanted is None:
        raise UserError(
            f"This run writes {names}", where=str(run.directory), next_step=f"add --language {known[0]} or another"
        )
    raise UserError(
        f"This run writes {names}, not {wanted!r}",
        where=str(run.directory),
        allowed=known,
        next_step="take a run trained on reports of that language",
    )
