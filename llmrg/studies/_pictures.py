"""PNG and JPEG decoded strictly by Pillow: what it passes over in silence is looked for."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image as PilImage
from PIL import ImageFile, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from llmrg.studies._image_error import ImageError
from llmrg.studies._jpeg import sound_jpeg
from llmrg.studies._png import sound_png
from llmrg.studies._quiet import silence_decoders


def decode_png(path: Path, content: bytes, *, max_pixels: int) -> PilImage.Image:
    """Decode a PNG.

    Args:
        path: the file, for messages.
        content: its bytes, beginning with the signature.
        max_pixels: a larger film is refused before its pixels are decoded.

    Returns:
        The picture, not yet the right way up.

    Raises:
        ImageError: not sound, rows missing, or 16-bit colours that Pillow would cut to almost nothing.
    """
    sound = sound_png(path, content, max_pixels=max_pixels)
    picture = _load(path, _MarkedPng, sound.content)
    unwritten = sound.interlaced or picture.getpixel(_last(picture)) == _ink(picture)
    if unwritten and not sound.is_complete():  # the film may have that very value: only inflating it again tells
        raise ImageError(path, "is truncated (broken PNG data)")
    # Of 16-bit colours Pillow keeps the high byte: the picture if it uses the whole range, else next to nothing.
    if sound.colour and sound.bits == 16 and np.asarray(picture)[..., :3].max() < 128:
        raise ImageError(path, "is a 16-bit colour PNG that uses few of its bits; store it as 16-bit grey")
    return picture


def decode_jpeg(path: Path, content: bytes, *, max_pixels: int, at_least: int | None = None) -> PilImage.Image:
    """Decode a JPEG.

    Args:
        path: the file, for messages.
        content: its bytes, beginning with the signature.
        max_pixels: a larger film is refused before its pixels are decoded.
        at_least: decode at a reduced scale whose sides are at least so long, if given.

    Returns:
        The picture, not yet the right way up.

    Raises:
        ImageError: not sound, or data missing.
    """
    sound = sound_jpeg(path, content, max_pixels=max_pixels)
    picture = _load(path, JpegImageFile, sound.content, at_least)
    if sound.lengthened is not None:
        longer = _load(path, JpegImageFile, sound.lengthened, at_least)
        if longer.tobytes() != picture.tobytes():  # the decoder had use for more data
            raise ImageError(path, "is truncated (broken JPEG data)")
    return picture


def upright(path: Path, picture: PilImage.Image) -> PilImage.Image:
    """Turn a picture as its EXIF orientation says.

    Args:
        path: the file, for messages.
        picture: the decoded picture.

    Returns:
        The picture the right way up.

    Raises:
        ImageError: EXIF data that cannot be read, so that nobody knows which way is up.
    """
    try:
        silence_decoders()
        return ImageOps.exif_transpose(picture)
    except Exception:
        raise ImageError(path, "has EXIF data that cannot be read") from None


class _MarkedPng(PngImageFile):
    """A PNG whose last pixel is marked before decoding: Pillow stops at missing rows without a word."""

    def load_prepare(self) -> None:
        super().load_prepare()
        self.im.putpixel(_last(self), _ink(self))


def _last(picture: PilImage.Image) -> tuple[int, int]:
    return picture.width - 1, picture.height - 1


def _ink(picture: PilImage.Image) -> int | tuple[int, ...]:
    """A value that films rarely end with."""
    if picture.mode == "1":
        return 255
    bands = len(picture.getbands())
    return (165,) * bands if bands > 1 else 165


def _load(
    path: Path, kind: type[PngImageFile | JpegImageFile], content: bytes, at_least: int | None = None
) -> ImageFile.ImageFile:
    # Pillow's classes, not its open(): that would also let in the several pictures of a camera's MPO.
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # a library that turned it on would let half films in
    try:
        silence_decoders()
        picture = kind(BytesIO(content))
        if at_least is not None:
            picture.draft("L", (at_least, at_least))
        picture.load()
        return picture
    except Exception as error:  # Pillow's plugins raise almost anything on broken files
        reason = "is truncated" if "truncated" in str(error).lower() else "cannot be decoded"
        name = "JPEG" if kind is JpegImageFile else "PNG"
        raise ImageError(path, f"{reason} (broken {name} data)") from None
