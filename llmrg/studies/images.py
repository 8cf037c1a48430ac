"""Films as arrays: PNG, JPEG and DICOM files decoded to grey, and brought to a square."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as PilImage

from llmrg.studies._film_bytes import film_bytes
from llmrg.studies._image_error import ImageError
from llmrg.studies._jpeg import SIGNATURE as JPEG
from llmrg.studies._pictures import decode_jpeg, decode_png, upright
from llmrg.studies._png import SIGNATURE as PNG
from llmrg.studies.dicom import is_dicom, read_dicom
from llmrg.studies.grey import GreyImage, grey_picture
from llmrg.studies.limits import MAX_BYTES, MAX_PIXELS
from llmrg.studies.settings import Fit

__all__ = ["MAX_BYTES", "MAX_PIXELS", "GreyImage", "ImageError", "fit_square", "load_image"]

_OTHER_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image; convert it to PNG"),
    (b"MM\x00*", "a TIFF image; convert it to PNG"),
    (b"BM", "a BMP image; convert it to PNG"),
    (b"RIFF", "a WebP image; convert it to PNG"),
    (b"\x00\x00\x00\x0cjP", "a bare JPEG 2000 image; convert it to PNG"),
    (b"\xffO\xffQ", "a bare JPEG 2000 image; convert it to PNG"),
    (b"\xff\n", "a JPEG XL image; convert it to PNG"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"version https://git-lfs", "a Git LFS pointer (the film itself was not downloaded)"),
    (b"<", "a web page or XML text"),
)


def load_image(
    path: str | Path, *, at_least: int | None = None, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> GreyImage:
    """Decode one film to 8-bit grey.

    The kind of file is judged by its content, not by its name. EXIF orientation is applied; colours, transparency and
    16-bit values become grey as :func:`llmrg.studies.grey.grey_picture` says; DICOM is brought to the look that its
    header asks for (:func:`llmrg.studies.dicom.read_dicom`). A film is decoded strictly or refused: sizes are judged
    by its header, a PNG's checksums are verified, nothing missing is painted over. Bytes after a film's end are
    ignored, as are texts and colour profiles. TIFF, GIF, BMP, WebP and the like are named and refused.

    Args:
        path: PNG, JPEG or DICOM file.
        at_least: if given, a larger film may be decoded at a reduced scale, both sides staying at least so long
            (in pixels); faster for large JPEGs.
        max_bytes: larger files are refused before reading.
        max_pixels: larger films are refused before decoding.

    Returns:
        Grey values [H, W], 0 black to 255 white.

    Raises:
        ImageError: missing, empty, truncated, too large, too narrow, a pipe or device, an animation, of another kind,
            or broken; names the file and the reason.
    """
    path = Path(path)
    content = film_bytes(path, max_bytes=max_bytes)
    if content.startswith(PNG):
        return grey_picture(upright(path, decode_png(path, content, max_pixels=max_pixels)))
    if content.startswith(JPEG):
        return grey_picture(upright(path, decode_jpeg(path, content, max_pixels=max_pixels, at_least=at_least)))
    if is_dicom(content):
        return read_dicom(path, content, max_pixels=max_pixels)
    raise ImageError(path, f"is not a PNG, JPEG or DICOM file ({_kind(content)})")


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


def _kind(content: bytes) -> str:
    start = content.lstrip()[:64]
    if content[:1] == b"\x80" and content[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "it looks like a Python pickle, which is never opened"
    found = next((name for magic, name in _OTHER_KINDS if start.startswith(magic)), None)
    if content[4:8] == b"ftyp":
        found = "a HEIC photo or a video"
    return f"it looks like {found}" if found else "its content is of no kind that is known"
