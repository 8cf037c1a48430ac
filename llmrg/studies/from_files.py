"""One study from film files named on a command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llmrg.errors import UserError
from llmrg.studies.images import ImageError
from llmrg.studies.study import Context, Image, Language, Study
from llmrg.studies.views import normalise_view, order_images, view_of_file

__all__ = ["INPUT_SPLIT", "study_from_files"]

INPUT_SPLIT = "input"
"""The split of such a study."""


def study_from_files(
    paths: Sequence[str | Path],
    *,
    language: Language,
    views: Sequence[str] | None = None,
    context: Context | None = None,
) -> Study:
    """Make one study of its films; they are looked up, not decoded.

    Args:
        paths: PNG, JPEG or DICOM files, all of one examination.
        language: language of the report to be written.
        views: view of each film (``frontal``, ``PA``, ``lateral``, ...); guessed from the file names by default.
        context: what is known before reading.

    Returns:
        A study without report; its id is the first file's name without extension.

    Raises:
        UserError: no file, a file given twice, or views that do not fit.
        ImageError: a file does not exist, is a folder or is empty.
    """
    files = [Path(path) for path in paths]
    if not files:
        raise UserError("A study needs at least one film", next_step="name its PNG, JPEG or DICOM files")
    if len({file.resolve() for file in files}) < len(files):
        raise UserError("A film is named twice", where=", ".join(str(file) for file in files))
    if views is not None and len(views) != len(files):
        raise UserError(f"{len(files)} films, but {len(views)} views are named", where="views")
    images = []
    for number, file in enumerate(files):
        if not file.exists():
            raise ImageError(file, "does not exist")
        if file.is_dir():
            raise ImageError(file, "is a folder, not a film")
        if file.stat().st_size == 0:
            raise ImageError(file, "is empty (0 bytes)")
        view = view_of_file(file.name) if views is None else normalise_view(views[number])
        if views is not None and view == "unknown" and views[number].lower() != "unknown":
            raise UserError(
                f"{views[number]!r} is not a view",
                where=str(file),
                allowed=("frontal", "lateral", "unknown", "PA", "AP"),
                got=views[number],
            )
        images.append(Image(path=file, view=view))
    name = files[0].stem or files[0].name
    return Study(
        id=name,
        patient_id=name,
        images=order_images(images),
        split=INPUT_SPLIT,
        language=language,
        context=context or Context(),
    )
