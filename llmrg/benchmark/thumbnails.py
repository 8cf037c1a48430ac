"""Small standardised pictures of studies, for the row that copies the nearest training film."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmrg.artefacts import text_hash, write_bytes
from llmrg.errors import LlmrgError
from llmrg.studies.images import GreyImage, fit_square, load_image
from llmrg.studies.prepared import PreparedError, open_prepared
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Study

__all__ = ["frontal_thumbnails"]

_log = logging.getLogger(__name__)
_VERSION = "1"
_MANY = 5000


def frontal_thumbnails(
    studies: Sequence[Study], *, size: int = 32, data: DataConfig | None = None, cache: Path | None = None
) -> NDArray[np.float32]:
    """Return one standardised thumbnail per study, as a unit vector.

    The frontal film is taken (the first film where none is frontal), fitted into a square without distortion, shifted
    to mean 0 and scaled to length 1, so that a dot product is the cosine of standardised pictures. A study whose film
    cannot be read has the zero vector.

    Args:
        studies: the studies.
        size: edge in pixels.
        data: their dataset; where it has prepared films, those are read.
        cache: file that keeps the thumbnails (16 bit) until a film changes; made where it does not exist.

    Returns:
        Array ``[N, size * size]``.

    Raises:
        UserError: the prepared films do not fit the dataset.
    """
    if not studies:
        return np.zeros((0, size * size), dtype=np.float32)
    key = "" if cache is None else text_hash([_VERSION, str(size), *_states(studies)])
    kept = None if cache is None else _read(cache, key, shape=(len(studies), size * size))
    if kept is not None:
        return kept
    prepared = None if data is None else open_prepared(data)
    if len(studies) > _MANY and prepared is None:
        _log.warning(
            "reading %d films in full for the row 'nearest'; `llmrg data prepare` makes this quick, and nearest=false "
            "leaves the row out",
            len(studies),
        )

    def pixels_of(path: Path) -> GreyImage:
        return load_image(path, at_least=4 * size) if prepared is None else prepared.read(path)

    def one(study: Study) -> NDArray[np.float32]:
        zero = np.zeros(size * size, dtype=np.float32)
        path = _frontal(study)
        if path is None:
            return zero
        try:
            pixels = fit_square(pixels_of(path), size=size, mode="pad").astype(np.float32).ravel()
        except PreparedError:
            raise
        except (LlmrgError, OSError) as error:
            _log.warning("no thumbnail of study %s: %s", study.id, type(error).__name__)
            return zero
        pixels -= pixels.mean()
        length = float(np.linalg.norm(pixels))
        return pixels / length if length > 0 else zero

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        found = np.stack(list(pool.map(one, studies)))
    if cache is None:
        return found
    # Through the same rounding as a later reading, so that both give the same neighbours.
    small = found.astype(np.float16)
    buffer = io.BytesIO()
    np.savez(buffer, key=np.frombuffer(key.encode("ascii"), dtype=np.uint8), thumbnails=small)
    cache.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(cache, buffer.getbuffer())
    return small.astype(np.float32)


def _frontal(study: Study) -> Path | None:
    films = [image for image in study.images if image.view == "frontal"] or list(study.images)
    return films[0].path if films else None


def _states(studies: Sequence[Study]) -> Iterator[str]:
    """What says that a study's film is still the same: its id, path, size and time of change."""
    for study in studies:
        path = _frontal(study)
        try:
            status = None if path is None else path.stat()
        except OSError:
            status = None
        told = "" if status is None else f"{status.st_size} {status.st_mtime_ns}"
        yield f"{study.id}\n{path}\n{told}"


def _read(path: Path, key: str, *, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            if kept["key"].tobytes() != key.encode("ascii"):
                return None
            found = kept["thumbnails"]
    except (OSError, ValueError, KeyError, EOFError):
        return None
    return found.astype(np.float32) if found.shape == shape and found.dtype == np.float16 else None
