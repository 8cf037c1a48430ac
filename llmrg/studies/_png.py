"""The structure of a PNG, checked before a decoder sees it.

Decoders pass over checksums of the picture data, and inflate texts and colour profiles of any size; so the chunks are
walked here, and only those that make the picture are handed on. (W3C PNG, third edition, sections 5 and 11.)
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from llmrg.studies._image_error import ImageError
from llmrg.studies.limits import check_size

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND")  # eXIf: which way is up
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_MOST_DEFLATE = 1032  # bytes that one deflated byte can become


@dataclass(frozen=True, kw_only=True)
class SoundPng:
    """A PNG with whole chunks.

    Args:
        content: the file with the chunks of its picture alone.
        bits: of one sample (1 to 16).
        colour: whether a pixel has three colours (not a palette).
    """

    content: bytes
    bits: int
    colour: bool


def sound_png(path: Path, content: bytes, *, max_pixels: int) -> SoundPng:
    """Check size, chunks and checksums of a PNG; whatever follows its end is left out.

    Args:
        path: the file, for messages.
        content: its bytes, beginning with the signature.
        max_pixels: a larger film is refused.

    Returns:
        What may be decoded.

    Raises:
        ImageError: truncated, a wrong checksum, several frames, too large, or more pixels than its data can hold.
    """
    view = memoryview(content)
    kept: list[bytes | memoryview] = [SIGNATURE]
    at, deflated, raw, bits, colour = len(SIGNATURE), 0, 0, 0, False
    while True:
        if at + 12 > len(content):
            raise ImageError(path, "is truncated (broken PNG data)")
        length, kind = struct.unpack_from(">I4s", content, at)
        if at + 12 + length > len(content):
            raise ImageError(path, "is truncated (broken PNG data)")
        body = view[at + 8 : at + 8 + length]
        if zlib.crc32(body, zlib.crc32(kind)) != struct.unpack_from(">I", content, at + 8 + length)[0]:
            raise ImageError(path, "cannot be decoded (broken PNG data: wrong checksum)")
        if (kind == b"IHDR") != (at == len(SIGNATURE)):
            raise ImageError(path, "cannot be decoded (broken PNG data: its header is not first)")
        if kind == b"IHDR":
            raw, bits, colour = _read_header(path, body, max_pixels)
        elif kind == b"acTL" and length >= 4 and struct.unpack_from(">I", body)[0] > 1:
            raise ImageError(path, "is an animation, not one film")
        elif kind == b"IDAT":
            deflated += length
        if kind in _PICTURE:
            kept.append(view[at : at + 12 + length])
        elif not kind[0] & 0x20:
            raise ImageError(path, "cannot be decoded (broken PNG data: an unknown critical chunk)")
        at += 12 + length
        if kind == b"IEND":
            break
    if deflated * _MOST_DEFLATE < raw:
        raise ImageError(path, "is truncated (its data cannot hold the pixels that its header promises)")
    return SoundPng(content=b"".join(kept), bits=bits, colour=colour)


def _read_header(path: Path, body: memoryview, max_pixels: int) -> tuple[int, int, bool]:
    """Return bytes of the picture as the filters see it, bits of a sample, and whether it has three colours."""
    if len(body) != 13:
        raise ImageError(path, "cannot be decoded (broken PNG data: a header of the wrong length)")
    width, height, bits, kind = struct.unpack_from(">IIBB", body)
    if kind not in _SAMPLES:
        raise ImageError(path, "cannot be decoded (broken PNG data: an unknown kind of colour)")
    check_size(path, width=width, height=height, max_pixels=max_pixels)
    return height * (width * bits * _SAMPLES[kind] // 8), bits, kind in (2, 6)
