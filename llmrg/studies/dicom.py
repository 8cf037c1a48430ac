"""DICOM films: read safely, and brought to the look that their header asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from llmrg.studies._dicom_greyscale import displayed
from llmrg.studies._dicom_header import (
    PREFIX,
    TAGS,
    BoundedFile,
    begins_a_dataset,
    is_element,
    meta_information,
    pixel_layout,
)
from llmrg.studies._dicom_inflate import inflated
from llmrg.studies._dicom_pixels import stored_pixels
from llmrg.studies._image_error import ImageError
from llmrg.studies._quiet import silence_decoders

__all__ = ["is_dicom", "read_dicom"]


def is_dicom(content: bytes) -> bool:
    """Tell whether a file is DICOM: by its prefix, or by a first element that only a bare dataset begins with.

    Args:
        content: bytes of the file.

    Returns:
        Whether :func:`read_dicom` should try.
    """
    return content[128:132] == PREFIX or begins_a_dataset(content)


def read_dicom(path: Path, content: bytes, *, max_pixels: int) -> npt.NDArray[np.uint8]:
    """Decode a DICOM film to 8-bit grey.

    Stored bits (by bits stored, high bit and sign; overlay bits fall away) pass through the modality table or rescale
    slope and intercept, then through the first VOI table, else the first window (linear, linear exact or sigmoid).
    Without one, the range of the values is stretched to black and white, except that 8-bit values without any
    transform stay as they are. A table or window that is impossible, or shows nothing, is passed over. MONOCHROME1 is
    inverted, padding is black, RGB and YBR of 8 bits become their luma. (DICOM PS3.3 C.7.6.3, C.11.1, C.11.2.)

    Datasets without file meta information or without a transfer syntax are read by the encoding of their first
    element, deflated ones up to the size that their header promises. Of the header nothing but the description of the
    pixels is parsed: no name, date or text.

    Args:
        path: the file, for messages.
        content: its bytes.
        max_pixels: larger films are refused before their pixels are decoded.

    Returns:
        Grey values [H, W].

    Raises:
        ImageError: a directory, no image (a structured report), several frames, a transfer syntax without decoder, a
            palette, no word on whether low values are black, too large, truncated or broken; the message holds nothing
            of the header but the kind of file.
    """
    try:
        silence_decoders()
        return _read(path, content, max_pixels=max_pixels)
    except ImageError:
        raise
    except Exception as error:  # pydicom and its decoders raise almost anything on broken files
        raise ImageError(path, f"cannot be decoded (broken DICOM data, {type(error).__name__})") from None


def _read(path: Path, content: bytes, *, max_pixels: int) -> npt.NDArray[np.uint8]:
    if content[128:132] != PREFIX:
        content = bytes(128) + PREFIX + content
    meta, _ = meta_information(path, content)
    if meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        raise ImageError(path, "is a DICOM directory (DICOMDIR), not a film")
    syntax = meta.get("TransferSyntaxUID")
    if syntax is not None and (syntax.is_private or not syntax.is_transfer_syntax):
        raise ImageError(path, "is a DICOM file of an unknown transfer syntax")
    if syntax == DeflatedExplicitVRLittleEndian:
        content = inflated(path, content, max_pixels=max_pixels)
        syntax = ExplicitVRLittleEndian
    header = pydicom.dcmread(BoundedFile(path, content), stop_before_pixels=True, specific_tags=TAGS)
    layout = pixel_layout(path, header, max_pixels=max_pixels)
    dataset = pydicom.dcmread(BoundedFile(path, content), specific_tags=TAGS)
    _check_rest(path, content, dataset)
    stored = stored_pixels(path, dataset, layout, syntax=syntax or _guessed(path, dataset))
    return stored if layout.colour else displayed(dataset, stored, layout)


def _check_rest(path: Path, content: bytes, dataset: pydicom.Dataset) -> None:
    """Refuse what stands after the pixels if it is no element: bytes that slipped in have moved the picture."""
    element = dataset.get_item("PixelData")
    if element is None or element.length == 0xFFFFFFFF:
        return
    rest = content[element.value_tell + element.length :]
    implicit, little = dataset.original_encoding
    if rest.strip(b"\0") and not is_element(rest, after=0x7FE0, implicit=implicit, little=little):
        raise ImageError(path, "has bytes after its pixels that are no DICOM")


def _guessed(path: Path, dataset: pydicom.Dataset) -> UID:
    """Name the transfer syntax of a file that does not: pydicom has found how its elements are written."""
    if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        raise ImageError(path, "is a compressed DICOM file that does not name its transfer syntax")
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian
