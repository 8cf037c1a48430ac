"""The structure of a JPEG, checked before a decoder sees it.

A JPEG has no checksum, and decoders paint what is missing before an end marker in grey without a word. Where the
picture is one scan (nearly all are), it is therefore handed on without its end marker: a decoder that runs out of data
then says so. (ITU-T T.81, annexes B and G.)
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from llmrg.studies._image_error import ImageError
from llmrg.studies.limits import check_size

SIGNATURE = b"\xff\xd8\xff"
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # a marker that is neither a stuffed byte nor a restart
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_END, _SCAN = 0xD9, 0xDA
# A decoder looks ahead by up to 8 bytes; zeros there are no code of an end, so that too little data still runs out.
_LOOK_AHEAD = bytes(9)
_SURPLUS = b"\x5a\xa5" * 16
_MOST_PIXELS_A_BYTE = 512  # one bit a block of 8 x 8


@dataclass(frozen=True, kw_only=True)
class JpegFrame:
    """What a JPEG says of its picture.

    Args:
        width: pixels in a row.
        height: rows.
        bits: of one sample.
        components: identifiers of the colour components.
        progressive: whether coefficients come in several passes.
        lossless: whether the process is lossless or JPEG-LS (predictive), which Pillow does not decode.
    """

    width: int
    height: int
    bits: int
    components: tuple[int, ...]
    progressive: bool
    lossless: bool


@dataclass(frozen=True, kw_only=True)
class SoundJpeg:
    """A JPEG with whole segments.

    Args:
        content: what is to be decoded.
        lengthened: the same with some data too many in its last pass, which only a decoder of a truncated pass uses;
            None where ``content`` alone betrays it.
    """

    content: bytes
    lengthened: bytes | None = None


def jpeg_frame(path: Path, content: bytes) -> tuple[JpegFrame, int]:
    """Find the header of the picture.

    Args:
        path: the file, for messages.
        content: bytes that begin with the signature.

    Returns:
        The header, and where the segment after it begins.

    Raises:
        ImageError: no such header.
    """
    at = 2
    while True:
        marker, at, end = _segment(path, content, at)
        if marker in _FRAMES or marker == 0xF7:
            body = content[at:end]
            if len(body) < 6 or len(body) < 6 + 3 * body[5]:
                raise _broken(path)
            bits, height, width, count = struct.unpack_from(">BHHB", body)
            frame = JpegFrame(
                width=width,
                height=height,
                bits=bits,
                components=tuple(body[6 : 6 + 3 * count : 3]),
                progressive=marker in (0xC2, 0xC6, 0xCA, 0xCE),
                lossless=marker in (0xC3, 0xC7, 0xCB, 0xCF, 0xF7),
            )
            return frame, end
        if marker in (_END, _SCAN):
            raise _broken(path)
        at = end


def sound_jpeg(path: Path, content: bytes, *, max_pixels: int) -> SoundJpeg:
    """Check size and completeness of a JPEG; whatever follows its end is left out (further pictures of a camera too).

    Args:
        path: the file, for messages.
        content: its bytes, beginning with the signature.
        max_pixels: a larger film is refused.

    Returns:
        What may be decoded by a decoder that refuses to go on without data.

    Raises:
        ImageError: truncated, too large, passes missing, more pixels than its data can hold, or broken.
    """
    frame, at = jpeg_frame(path, content)
    check_size(path, width=frame.width, height=frame.height, max_pixels=max_pixels)
    if len(content) * _MOST_PIXELS_A_BYTE < frame.width * frame.height:
        raise ImageError(path, "is truncated (its data cannot hold the pixels that its header promises)")
    missing = {component: [-1] * 64 for component in frame.components}  # bits of each coefficient still to come
    scans = 0
    while True:
        marker, at, end = _segment(path, content, at)
        if marker == _END:
            break
        if marker == _SCAN:
            scans += 1
            _note_scan(path, content[at:end], missing)
            found = _AFTER_SCAN.search(content, end)
            if found is None:
                raise ImageError(path, "is truncated (broken JPEG data)")
            end = found.start()
        at = end
    if not scans or any(bits for coefficients in missing.values() for bits in coefficients):
        raise ImageError(path, "is truncated (broken JPEG data: a part of the picture is missing)")
    if scans == 1 and not frame.progressive:
        return SoundJpeg(content=content[: at - 2] + _LOOK_AHEAD)
    return SoundJpeg(content=content[:at], lengthened=content[: at - 2] + _SURPLUS + content[at - 2 : at])


def _segment(path: Path, content: bytes, at: int) -> tuple[int, int, int]:
    """Return the next marker, where its body begins and where it ends."""
    if at >= len(content):
        raise ImageError(path, "is truncated (broken JPEG data)")
    if content[at] != 0xFF:
        raise _broken(path)
    while at < len(content) and content[at] == 0xFF:  # any number of fill bytes
        at += 1
    if at >= len(content):
        raise ImageError(path, "is truncated (broken JPEG data)")
    marker = content[at]
    if marker == _END:
        return marker, at + 1, at + 1
    if marker < 0xC0 or 0xD0 <= marker <= 0xD8:
        raise _broken(path)
    length = int.from_bytes(content[at + 1 : at + 3], "big")
    if length < 2:
        raise _broken(path)
    if at + 1 + length > len(content):
        raise ImageError(path, "is truncated (broken JPEG data)")
    return marker, at + 3, at + 1 + length


def _note_scan(path: Path, header: bytes, missing: dict[int, list[int]]) -> None:
    count = header[0] if header else 0
    if len(header) != 4 + 2 * count:
        raise _broken(path)
    first, last, approximation = header[-3:]
    for component in header[1 : 1 + 2 * count : 2]:
        if component not in missing or not first <= last <= 63:
            raise _broken(path)
        missing[component][first : last + 1] = [approximation & 15] * (last + 1 - first)


def _broken(path: Path) -> ImageError:
    return ImageError(path, "cannot be decoded (broken JPEG data)")
