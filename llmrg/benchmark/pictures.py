"""Films and evidence pictures as data URIs, so that a page needs no other file."""

from __future__ import annotations

import base64
import io
import logging
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from llmrg.errors import LlmrgError
from llmrg.studies.images import load_image

__all__ = ["EmbeddedPicture", "embed_film", "embed_picture"]

_log = logging.getLogger(__name__)
_MOST_PIXELS = 16_000_000


@dataclass(frozen=True, kw_only=True)
class EmbeddedPicture:
    """A picture inside the page.

    Args:
        uri: ``data:image/jpeg;base64,...``.
        width: of the embedded picture, pixels.
        height: of the embedded picture, pixels.
        scale: embedded pixels per pixel of the file.
    """

    uri: str
    width: int
    height: int
    scale: float


def embed_film(path: Path, *, size: int) -> EmbeddedPicture | None:
    """Embed a film, its longest edge at most ``size`` pixels, or return None where it cannot be read."""
    try:
        pixels = load_image(path)
    except (LlmrgError, OSError) as error:
        _log.warning("a film of the gallery cannot be read: %s", type(error).__name__)
        return None
    return _embed(PillowImage.fromarray(pixels), size=size)


def embed_picture(folder: Path, name: object, *, size: int) -> EmbeddedPicture | None:
    """Embed an evidence picture that a prediction names.

    A path that leaves the predictions' folder, is no picture or is too large gives None: a page shows no file that
    the predictions have no business with.

    Args:
        folder: folder of the predictions.
        name: the path as written there, relative to ``folder``.
        size: longest edge, pixels.
    """
    if not isinstance(name, str) or not name:
        return None
    base = folder.resolve()
    path = (base / name).resolve()
    if not path.is_relative_to(base) or not path.is_file():
        _log.warning("an evidence picture is missing or lies outside the predictions' folder")
        return None
    try:
        with PillowImage.open(path) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                return None
            return _embed(picture.convert("RGB"), size=size)
    except (OSError, UnidentifiedImageError, ValueError, PillowImage.DecompressionBombError):
        _log.warning("an evidence picture cannot be read")
        return None


def _embed(picture: PillowImage.Image, *, size: int) -> EmbeddedPicture:
    scale = min(1.0, size / max(picture.size))
    if scale < 1.0:
        edges = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(edges, PillowImage.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=84, optimize=True)
    uri = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return EmbeddedPicture(uri=uri, width=picture.width, height=picture.height, scale=scale)
