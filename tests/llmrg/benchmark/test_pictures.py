from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from llmrg.benchmark.pictures import embed_film, embed_picture


def save(path: Path, *, width: int = 80, height: int = 60) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(np.full((height, width), 90, dtype=np.uint8)).save(path)
    return path


def test_films_shrink_with_their_shape(tmp_path: Path) -> None:
    picture = embed_film(save(tmp_path / "film.png"), size=40)
    assert picture is not None
    assert (picture.width, picture.height, picture.scale) == (40, 30, 0.5)
    decoded = PillowImage.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2])))
    assert decoded.size == (40, 30)


def test_small_films_are_not_blown_up(tmp_path: Path) -> None:
    picture = embed_film(save(tmp_path / "film.png"), size=400)
    assert picture is not None
    assert (picture.width, picture.scale) == (80, 1.0)


def test_unreadable_films_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "film.png").write_bytes(b"")
    assert embed_film(tmp_path / "film.png", size=40) is None


def test_pictures_outside_the_predictions_folder_are_not_shown(tmp_path: Path) -> None:
    folder = tmp_path / "predictions"
    save(folder / "evidence" / "in.png")
    outside = save(tmp_path / "out.png")
    assert embed_picture(folder, "evidence/in.png", size=40) is not None
    for name in ("../out.png", str(outside), "evidence/none.png", "", None, 3):
        assert embed_picture(folder, name, size=40) is None
    (folder / "link.png").symlink_to(outside)
    assert embed_picture(folder, "link.png", size=40) is None
