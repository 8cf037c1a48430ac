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
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))  # Adam7
_BLOCK = 2**18
_MOST_DEFLATE = 1032  # bytes that one deflated byte can become


@dataclass(frozen=True, kw_only=True)
class SoundPng:
    """A PNG with whole chunks.

    Args:
        content: the file with the chunks of its picture alone.
        deflated: the picture's data.
        raw: length of that data once inflated, with the filter bytes.
        bits: of one sample (1 to 16).
        colour: whether a pixel has three colours (not a palette).
        interlaced: whether it comes in seven passes.
    """

    content: bytes
    deflated: tuple[memoryview, ...]
    raw: int
    bits: int
    colour: bool
    interlaced: bool

    def is_complete(self) -> bool:
        """Tell whether the data hold all rows, by inflating them; decoders leave missing rows black without a word."""
        inflater, count = zlib.decompressobj(), 0
        for part in self.deflated:
            rest: bytes | memoryview = part
            while rest and count < self.raw:
                count += len(inflater.decompress(rest, _BLOCK))
                rest = inflater.unconsumed_tail
        return count >= self.raw


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
    deflated: list[memoryview] = []
    header = None
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if at + 12 > len(content):
            raise ImageError(path, "is truncated (broken PNG data)")
        length, kind = struct.unpack_from(">I4s", content, at)
        if at + 12 + length > len(content):
            raise ImageError(path, "is truncated (broken PNG data)")
        body = view[at + 8 : at + 8 + length]
        if zlib.crc32(body, zlib.crc32(kind)) != struct.unpack_from(">I", content, at + 8 + length)[0]:
            raise _broken(path, "wrong checksum")
        if (kind == b"IHDR") != (header is None):
            raise _broken(path, "its header is not first")
        if kind == b"IHDR":
            header = _Header.read(path, body)
            check_size(path, width=header.width, height=header.height, max_pixels=max_pixels)
        elif kind == b"acTL" and length >= 4 and struct.unpack_from(">I", body)[0] > 1:
            raise ImageError(path, "is an animation, not one film")
        elif kind == b"IDAT":
            deflated.append(body)
        if kind in _PICTURE:
            kept.append(view[at : at + 12 + length])
        elif not kind[0] & 0x20:
            raise _broken(path, "an unknown critical chunk")
        at += 12 + length
    if header is None or sum(map(len, deflated)) * _MOST_DEFLATE < header.raw:
        raise ImageError(path, "is truncated (its data cannot hold the pixels that its header promises)")
    return SoundPng(
        content=b"".join(kept),
        deflated=tuple(deflated),
        raw=header.raw,
        bits=header.bits,
        colour=header.kind in (2, 6),
        interlaced=bool(header.lace),
    )


@dataclass(frozen=True, kw_only=True)
class _Header:
    width: int
    height: int
    bits: int
    kind: int
    lace: int

    @classmethod
    def read(cls, path: Path, body: memoryview) -> _Header:
        if len(body) != 13:
            raise _broken(path, "a header of the wrong length")
        width, height, bits, kind, _, _, lace = struct.unpack(">IIBBBBB", body)
        if kind not in _SAMPLES or bits not in (1, 2, 4, 8, 16):
            raise _broken(path, "an unknown kind of pixels")
        return cls(width=width, height=height, bits=bits, kind=kind, lace=lace)

    @property
    def raw(self) -> int:
        """Bytes of all rows, each with its filter byte."""
        total = 0
        for top, left, down, right in _PASSES if self.lace else ((0, 0, 1, 1),):
            rows, columns = -(-(self.height - top) // down), -(-(self.width - left) // right)
            if rows > 0 and columns > 0:
                total += rows * (1 + -(-columns * self.bits * _SAMPLES[self.kind] // 8))
        return total


def _broken(path: Path, how: str) -> ImageError:
    return ImageError(path, f"cannot be decoded (broken PNG data: {how})")
