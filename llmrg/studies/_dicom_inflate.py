"""Deflated DICOM files, inflated up to the size that their header promises."""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian

from llmrg.studies._dicom_header import PREFIX, TAGS, BoundedFile, meta_information, pixel_layout
from llmrg.studies._image_error import ImageError

_HEADER = 4 * 2**20  # bytes; also what may stand around the pixels


def inflated(path: Path, content: bytes, *, max_pixels: int) -> bytes:
    """Turn a deflated DICOM file to the same file without compression (PS3.5 A.5).

    Args:
        path: the file, for messages.
        content: its bytes, with preamble and meta information.
        max_pixels: a larger film is refused.

    Returns:
        The file in explicit little endian.

    Raises:
        ImageError: truncated, far larger than its pixels, or no film.
    """
    meta, start = meta_information(path, content)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    head = inflater.decompress(content[start:], _HEADER)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written = BytesIO()
    write_file_meta_info(written, meta, enforce_standard=False)
    before = bytes(128) + PREFIX + written.getvalue()
    header = pydicom.dcmread(BoundedFile(path, before + head), stop_before_pixels=True, specific_tags=TAGS)
    layout = pixel_layout(path, header, max_pixels=max_pixels)
    rest = inflater.decompress(inflater.unconsumed_tail, layout.bytes + _HEADER)
    if inflater.unconsumed_tail:
        raise ImageError(path, "is a deflated DICOM file that inflates to far more than its picture")
    if not inflater.eof:
        raise ImageError(path, "is truncated (deflated DICOM data)")
    return before + head + rest
