"""Every film of a dataset opened once: broken ones, blank ones, and the same film in several studies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llmrg.studies._check_values import Examples, quantiles
from llmrg.studies._processes import map_in_order
from llmrg.studies.images import ImageError, load_image
from llmrg.studies.prepared import PreparedError, PreparedFilms
from llmrg.studies.study_table import StudyTable

__all__ = ["FilmFacts", "check_films", "check_prepared", "look_at_film"]


@dataclass(frozen=True, kw_only=True)
class FilmFacts:
    """What one film is like.

    Args:
        path: its file.
        reason: why it cannot be used; the other fields say nothing then.
        file_bytes: size of the file.
        height: in pixels.
        width: in pixels.
        blank: all pixels have one value.
        digest: sha256 over shape and decoded pixels, so that a copy saved in another way is found too.
    """

    path: Path
    reason: str | None = None
    file_bytes: int = 0
    height: int = 0
    width: int = 0
    blank: bool = False
    digest: bytes = b""


def look_at_film(path: Path) -> FilmFacts:
    """Open a film, decode it in full and describe it."""
    try:
        pixels = load_image(path)
        size = path.stat().st_size
    except ImageError as error:
        return FilmFacts(path=path, reason=error.reason)
    except OSError as error:
        return FilmFacts(path=path, reason=f"cannot be read ({error.strerror})")
    digest = hashlib.sha256(f"{pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return FilmFacts(
        path=path,
        file_bytes=size,
        height=pixels.shape[0],
        width=pixels.shape[1],
        blank=bool(pixels.min() == pixels.max()),
        digest=digest.digest(),
    )


def check_films(
    table: StudyTable, *, workers: int | None, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Open every film of a dataset.

    Args:
        table: its studies.
        workers: processes; as many as there are cores by default.
        progress: called with (films done, films in all).

    Returns:
        ``films``, ``opened``, ``broken`` and ``blank`` (count and examples), ``identical`` (films that stand in several
        studies: across splits by pair of splits, and within splits), and quantiles of ``width``, ``height`` (pixels)
        and ``file_bytes``.
    """
    total = sum(len(study.images) for study in table)
    broken, blank = Examples(), Examples()
    sides: dict[str, list[int]] = {"width": [], "height": [], "file_bytes": []}
    first: dict[bytes, list[tuple[str, str]]] = {}  # digest to (study, split)
    owners = _films(table)
    for done, (facts, (study, split)) in enumerate(
        zip(map_in_order(look_at_film, _paths(table), workers=workers), owners, strict=True), start=1
    ):
        if progress is not None:
            progress(done, total)
        if facts.reason is not None:
            broken.add({"study": study, "film": str(facts.path), "reason": facts.reason})
            continue
        for name, values in sides.items():
            values.append(getattr(facts, name))
        if facts.blank:
            blank.add({"study": study, "film": str(facts.path)})
        else:
            first.setdefault(facts.digest, []).append((study, split))
    opened = len(sides["file_bytes"])
    return {
        "films": total,
        "opened": opened,
        "broken": broken.result(),
        "blank": blank.result(),
        "identical": _identical(first),
        **{name: quantiles(values) for name, values in sides.items()},
    }


def check_prepared(table: StudyTable, prepared: PreparedFilms) -> dict[str, Any]:
    """Read every prepared film of a dataset; count those that are missing, changed or damaged, with examples."""
    wrong = Examples()
    for path in _paths(table):
        try:
            prepared.read(path)
        except PreparedError as error:
            wrong.add({"film": str(path), "reason": error.what})
        except ImageError:
            continue  # a broken film, which is told of elsewhere
    return {"films": len(prepared), "wrong": wrong.result()}


def _paths(table: StudyTable) -> Iterator[Path]:
    for study in table:
        yield from (image.path for image in study.images)


def _films(table: StudyTable) -> Iterator[tuple[str, str]]:
    for study in table:
        yield from ((study.id, study.split) for _ in study.images)


def _identical(found: dict[bytes, list[tuple[str, str]]]) -> dict[str, Any]:
    across: dict[str, Examples] = {}
    within = Examples()
    for places in found.values():
        studies = dict(places)
        if len(studies) < 2 and len(places) < 2:
            continue
        splits = list(dict.fromkeys(studies.values()))
        if len(splits) == 1:
            within.add({"studies": sorted(studies)[:4], "split": splits[0]})
            continue
        for number, a in enumerate(splits):
            for b in splits[number + 1 :]:
                pair = {name: next(study for study, split in studies.items() if split == name) for name in (a, b)}
                across.setdefault(f"{a}/{b}", Examples()).add(pair)
    return {"across": {pair: examples.result() for pair, examples in across.items()}, "within": within.result()}
