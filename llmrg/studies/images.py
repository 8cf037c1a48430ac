"""Films as arrays: PNG, JPEG and DICOM files decoded to grey, and brought to a square."""

from __future__ import annotations

import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage
from PIL import ImageOps

from llmrg.studies._image_error import ImageError
from llmrg.studies.dicom import read_dicom
from llmrg.studies.settings import Fit

__all__ = ["MAX_BYTES", "MAX_PIXELS", "GreyImage", "ImageError", "fit_square", "load_image"]

GreyImage = npt.NDArray[np.uint8]

MAX_BYTES = 256 * 2**20
"""Largest file that is read, in bytes."""

MAX_PIXELS = 80_000_000
"""Largest film that is decoded, in pixels (a 4,280 x 3,520 detector has 15 million)."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_OTHER_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"BM", "a BMP image"),
    (b"\x00\x00\x00\x0cjP", "a bare JPEG 2000 image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"version https://git-lfs", "a Git LFS pointer (the film itself was not downloaded)"),
    (b"<", "a web page or XML text"),
)


def load_image(
    path: str | Path, *, at_least: int | None = None, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> GreyImage:
    """Decode one film to 8-bit grey.

    The kind of file is judged by its content, not by its name. EXIF orientation is applied, transparency is laid on
    black, DICOM is brought to the look that its header asks for (see :func:`llmrg.studies.dicom.read_dicom`).
    16-bit PNGs are scaled by the number of bits that their brightest pixel needs.

    Args:
        path: PNG, JPEG or DICOM file.
        at_least: if given, a larger film may be decoded at a reduced scale, both sides staying at least so long
            (in pixels); faster for large JPEGs.
        max_bytes: larger files are refused before reading.
        max_pixels: larger films are refused before decoding.

    Returns:
        Grey values [H, W], 0 black to 255 white.

    Raises:
        ImageError: missing, empty, truncated, too large, of another kind, or broken; names the file and the reason.
    """
    path = Path(path)
    content = _read_bytes(path, max_bytes)
    if content.startswith(_PNG):
        grey = _decode_pillow(path, content, "PNG", at_least, max_pixels)
    elif content.startswith(_JPEG):
        grey = _decode_pillow(path, content, "JPEG", at_least, max_pixels)
    elif content[128:132] == b"DICM":
        grey = read_dicom(path, max_pixels=max_pixels)
    else:
        kind = next((name for magic, name in _OTHER_KINDS if content.lstrip()[:64].startswith(magic)), None)
        found = f"it looks like {kind}" if kind else "its content is of no kind that is known"
        raise ImageError(path, f"is not a PNG, JPEG or DICOM file ({found})")
    if grey.size == 0:
        raise ImageError(path, "has no pixels")
    return grey


def fit_square(image: GreyImage, *, size: int, mode: Fit = "pad") -> GreyImage:
    """Bring a film to a square with an antialiased bicubic filter.

    Args:
        image: grey values [H, W].
        size: side of the square in pixels.
        mode: ``pad`` keeps the aspect and adds black borders, ``crop`` takes the largest middle square, ``stretch``
            scales both sides apart.

    Returns:
        Grey values [size, size].

    Raises:
        ValueError: not an 8-bit grey image, or an unknown mode.
    """
    if image.ndim != 2 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"expected uint8 [H, W], got {image.dtype} {image.shape}")
    height, width = image.shape
    if mode == "stretch":
        return _resize(image, (size, size))
    if mode == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return _resize(image[top : top + side, left : left + side], (size, size))
    if mode != "pad":
        raise ValueError(f"mode must be pad, crop or stretch, not {mode!r}")
    scale = size / max(height, width)
    inner_height, inner_width = max(1, round(height * scale)), max(1, round(width * scale))
    square = np.zeros((size, size), dtype=np.uint8)
    top, left = (size - inner_height) // 2, (size - inner_width) // 2
    square[top : top + inner_height, left : left + inner_width] = _resize(image, (inner_width, inner_height))
    return square


def _resize(image: GreyImage, size: tuple[int, int]) -> GreyImage:
    if (image.shape[1], image.shape[0]) == size:
        return image.copy()
    # reducing_gap shrinks by whole factors first where that cannot be seen: several times faster on full-size films.
    resized = PilImage.fromarray(np.ascontiguousarray(image)).resize(
        size, PilImage.Resampling.BICUBIC, reducing_gap=3.0
    )
    return np.asarray(resized, dtype=np.uint8).copy()


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    try:
        if path.is_dir():
            raise ImageError(path, "is a folder, not a film")
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise ImageError(path, "does not exist") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its path is not valid"
        raise ImageError(path, f"cannot be read ({reason})") from error
    if not content:
        raise ImageError(path, "is empty (0 bytes)")
    if len(content) > max_bytes:
        raise ImageError(path, f"is larger than {max_bytes:,} bytes")
    return content


def _decode_pillow(path: Path, content: bytes, kind: str, at_least: int | None, max_pixels: int) -> GreyImage:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PilImage.DecompressionBombWarning)
            picture: PilImage.Image = PilImage.open(BytesIO(content), formats=[kind])
        width, height = picture.size
        if width * height > max_pixels:
            raise ImageError(path, f"has {width} x {height} pixels, more than {max_pixels:,}")
        if getattr(picture, "is_animated", False):
            raise ImageError(path, "is an animation, not one film")
        if at_least is not None and kind == "JPEG":
            picture.draft("L", (at_least, at_least))
        picture.load()
        return _grey(ImageOps.exif_transpose(picture) or picture)
    except ImageError:
        raise
    except PilImage.DecompressionBombError as error:
        raise ImageError(path, f"has more than {max_pixels:,} pixels") from error
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError, struct.error, zlib.error) as error:
        reason = "is truncated" if "truncated" in str(error).lower() else "cannot be decoded"
        raise ImageError(path, f"{reason} (broken {kind} data)") from error


def _grey(picture: PilImage.Image) -> GreyImage:
    if picture.mode.startswith("I"):
        return _scale_deep(np.asarray(picture))
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        black = PilImage.new("RGBA", seen.size, (0, 0, 0, 255))
        picture = PilImage.alpha_composite(black, seen).convert("RGB")
    return np.array(picture.convert("L"), dtype=np.uint8)


def _scale_deep(values: npt.NDArray[Any]) -> GreyImage:
    """Scale more than 8 bits to 8; files hold 10, 12 or 14 bits in 16, so the brightest pixel tells the depth."""
    clipped = np.clip(values.astype(np.int64), 0, 65535)
    bits = max(8, int(clipped.max()).bit_length())
    return (clipped >> (bits - 8)).astype(np.uint8)
