"""One film as training sees it, and the version that tells when that changes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from llmrg.studies.film import FILM_VERSION, read_film

GOLDEN = {1: "fc35a04781a0a76b"}


def test_other_pixels_need_another_version(tmp_path: Path) -> None:
    """Raise ``FILM_VERSION`` and note the new digest here if pixels change on purpose: prepared films depend on it."""
    rows, columns = np.mgrid[:300, :200]
    deep = (rows * 13 + columns * 7) % 4096
    digest = hashlib.sha256()
    for name, values in (("8.png", (deep >> 4).astype(np.uint8)), ("16.png", deep.astype(np.uint16))):
        Image.fromarray(values).save(tmp_path / name)
        for fit in ("pad", "crop", "stretch"):
            film = read_film(tmp_path / name, size=64, fit=fit)  # type: ignore[arg-type]
            assert film.shape == (64, 64)
            assert film.dtype == np.uint8
            digest.update(film.tobytes())
    assert digest.hexdigest()[:16] == GOLDEN[FILM_VERSION]
