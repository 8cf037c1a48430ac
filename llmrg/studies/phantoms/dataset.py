"""Whole datasets of phantoms, written in the layout of a real one."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from llmrg.artefacts import Manifest, atomic_directory, is_complete, read_manifest
from llmrg.errors import UserError
from llmrg.studies.phantoms.layouts.layout import Entry, Slot
from llmrg.studies.phantoms.layouts.registry import get_layout
from llmrg.studies.phantoms.preset import get_preset
from llmrg.studies.phantoms.render import StudyPlan, draw_study
from llmrg.studies.phantoms.truth import PhantomTruth, write_truth
from llmrg.studies.phantoms.wording import write_report

__all__ = ["DRAWING_VERSION", "MAX_SIZE", "MIN_SIZE", "draw_dataset"]

MIN_SIZE, MAX_SIZE = 32, 1280
# Raised whenever the same seed gives other pixels or words, so that older datasets are drawn again.
DRAWING_VERSION = 3
_CHUNK = 8


def draw_dataset(
    out: str | Path,
    *,
    format: str,
    studies: int,
    seed: int,
    size: int,
    preset: str,
    shifted: bool = False,
    workers: int | None = None,
    progress: bool = False,
) -> Path:
    """Draw a dataset of chest radiographs with known findings and reports.

    The same arguments give the same bytes, whatever the number of workers. ``shifted`` keeps identities and findings
    and changes exposure, proportions of the body and the wording of reports in the whole dataset.

    Args:
        out: folder to make; it appears only when everything is written. One that was drawn with the same arguments is
            kept as it is.
        format: layout, one of :func:`llmrg.studies.phantoms.layouts.registry.layout_names`.
        studies: how many studies, each with a frontal and a lateral film.
        seed: not negative.
        size: height and width of the films, 32 to 1280 pixels.
        preset: ``easy`` or ``bench``.
        shifted: draw the other population, machine and hospital.
        workers: processes; as many as there are cores by default.
        progress: show a progress bar.

    Returns:
        ``out``.

    Raises:
        UserError: an argument is not allowed, or ``out`` holds something else or cannot be written.
    """
    out = Path(out)
    layout = get_layout(format)
    get_preset(preset)
    _check(studies=studies, seed=seed, size=size, workers=workers)
    arguments = {
        "format": format,
        "studies": studies,
        "seed": seed,
        "size": size,
        "preset": preset,
        "shifted": shifted,
        "drawing_version": DRAWING_VERSION,
    }
    if _already_drawn(out, arguments):
        return out
    slots = layout.plan(studies, seed=seed)
    with atomic_directory(out) as root:
        draw = partial(_draw, root=root, seed=seed, size=size, preset=preset, shifted=shifted, cohort=layout.cohort)
        truths = list(_shown(_map(draw, slots, workers), total=studies, progress=progress))
        entries = []
        for slot, truth in zip(slots, truths, strict=True):
            words = np.random.default_rng([seed, 103, slot.index, int(shifted)])
            report = write_report(truth, language=layout.language, rng=words, shifted=shifted)
            other = np.random.default_rng([seed, 104, slot.index])
            entries.append(Entry(slot=slot, truth=truth, report=report, rng=other))
        layout.write(root, entries)
        write_truth(root, truths)
        Manifest(
            kind="phantoms",
            producer="llmrg data phantom",
            configuration=arguments,
            languages=(layout.language,),
            details={"studies": studies, "patients": len({slot.patient for slot in slots})},
        ).write(root)
    return out


def _check(*, studies: int, seed: int, size: int, workers: int | None) -> None:
    if studies < 1:
        raise UserError(f"There must be at least one study, not {studies}", where="studies")
    if seed < 0:
        raise UserError(f"The seed must not be negative, but is {seed}", where="seed")
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise UserError(f"Films have {MIN_SIZE} to {MAX_SIZE} pixels a side, not {size}", where="size")
    if workers is not None and workers < 1:
        raise UserError(f"There must be at least one worker, not {workers}", where="workers")


def _already_drawn(out: Path, arguments: dict[str, object]) -> bool:
    """Tell whether ``out`` is this very dataset; False if it may be written or replaced."""
    if not out.exists():
        return False
    if not out.is_dir():
        raise UserError("There is a file of this name", where=str(out), next_step="choose another folder")
    try:
        empty = next(out.iterdir(), None) is None
    except OSError as error:
        raise UserError(f"Cannot read this folder: {error.strerror}", where=str(out)) from error
    if empty:
        return False
    if is_complete(out):
        manifest = read_manifest(out)
        if manifest.kind == "phantoms":
            old = dict(manifest.configuration)
            if old == arguments:
                return True
            if {**old, "drawing_version": DRAWING_VERSION} == arguments:
                return False
            differing = ", ".join(sorted(key for key in arguments if old.get(key) != arguments[key]))
            raise UserError(
                f"This folder holds phantoms drawn with other arguments ({differing})",
                where=str(out),
                next_step="remove it or choose another folder",
            )
    raise UserError("This folder is not empty", where=str(out), next_step="remove it or choose another folder")


def _draw(slot: Slot, *, root: Path, seed: int, size: int, preset: str, shifted: bool, cohort: str) -> PhantomTruth:
    study = draw_study(
        StudyPlan(
            seed=seed,
            index=slot.index,
            patient=slot.patient,
            cohort=cohort,  # type: ignore[arg-type]
            preset=preset,
            shifted=shifted,
            size=size,
        )
    )
    for view, name in slot.films.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        film = Image.fromarray(study.films[view])
        if path.suffix == ".png":
            film.save(path, compress_level=3)
        else:
            film.save(path, quality=95)
    return PhantomTruth(
        study_id=slot.study_id,
        patient_id=slot.patient_id,
        split=slot.split,
        age_group="paediatric" if study.patient.age < 18 else "adult",
        age=study.patient.age,
        sex=study.patient.sex,
        findings=study.findings,
        cardiothoracic_ratio=study.cardiothoracic_ratio,
    )


def _map(draw: partial[PhantomTruth], slots: list[Slot], workers: int | None) -> Iterator[PhantomTruth]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = min(workers or cores, max(1, len(slots) // _CHUNK))
    if count == 1:
        yield from map(draw, slots)
        return
    # Forking spares each worker the import of everything; the children only draw, with numpy and Pillow.
    way = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context(way)) as pool:
        yield from pool.map(draw, slots, chunksize=_CHUNK)


def _shown(truths: Iterable[PhantomTruth], *, total: int, progress: bool) -> Iterator[PhantomTruth]:
    if not progress:
        yield from truths
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    with ExitStack() as stack:
        bar = stack.enter_context(
            Progress(TextColumn("drawing films"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        )
        task = bar.add_task("", total=total)
        for truth in truths:
            bar.advance(task)
            yield truth
