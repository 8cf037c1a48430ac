"""The stored values of a DICOM film, out of any transfer syntax that can be decoded here."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image as PilImage
from pydicom.encaps import generate_frames
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGExtended12Bit,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from llmrg.studies._dicom_header import PixelLayout
from llmrg.studies._image_error import ImageError
from llmrg.studies._jpeg import SIGNATURE as JPEG
from llmrg.studies._jpeg import jpeg_frame
from llmrg.studies._pictures import decode_jpeg

Samples = npt.NDArray[Any]

_HIGH_THROUGHPUT = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")


def stored_pixels(path: Path, dataset: pydicom.Dataset, layout: PixelLayout, *, syntax: UID) -> Samples:
    """Decode the pixel data.

    Args:
        path: the file, for messages.
        dataset: the header with the pixel data.
        layout: what the header says of them.
        syntax: the transfer syntax.

    Returns:
        Of a grey film the stored bits alone as uint16 [H, W], not yet signed; of a colour film its luma as uint8.

    Raises:
        ImageError: no pixel data, too few or too many, no decoder installed, or a picture of another size within.
    """
    if "PixelData" not in dataset:
        raise ImageError(path, "is a DICOM file without pixel data")
    samples = _compressed(path, dataset, layout, syntax) if syntax.is_compressed else _native(path, dataset, layout)
    expected = (layout.rows, layout.columns, 3) if layout.colour else (layout.rows, layout.columns)
    if samples.shape != expected:
        if not (layout.colour and samples.shape == expected[:2]):
            raise ImageError(path, "holds a picture of another size than its header says")
        return samples
    if layout.colour:
        return np.array(PilImage.fromarray(np.ascontiguousarray(samples)).convert("L"))
    if samples.dtype.kind == "i":
        samples = samples.view(f"u{samples.dtype.itemsize}")
    # A compressed picture has its values in the low bits, wherever they stood before.
    shift = 0 if syntax.is_compressed else layout.high + 1 - layout.stored
    shifted = samples >> samples.dtype.type(shift) if shift else samples
    masked = shifted & samples.dtype.type(2**layout.stored - 1)
    return masked.astype(np.uint16, copy=False)


def _native(path: Path, dataset: pydicom.Dataset, layout: PixelLayout) -> Samples:
    element = dataset["PixelData"]
    data: bytes = element.value
    if layout.photometric.startswith("YBR_") and layout.photometric != "YBR_FULL":
        raise ImageError(path, "is a colour image with shared colours (YBR 4:2:2), uncompressed; that is not read")
    row = layout.bytes // layout.rows
    if len(data) < layout.bytes:
        raise ImageError(path, "is truncated (it has less pixel data than its header says)")
    if len(data) - layout.bytes >= max(row, 2):
        raise ImageError(path, "has more pixel data than its header says")
    little = dataset.original_encoding[1]
    if not little and layout.allocated == 8 and element.VR == "OW":  # bytes travel in swapped pairs
        data = np.frombuffer(data[: len(data) // 2 * 2], dtype="<u2").byteswap().tobytes()
    kind = f"{'<' if little else '>'}u{layout.allocated // 8}"
    samples = np.frombuffer(data, dtype=kind, count=layout.bytes * 8 // layout.allocated)
    if layout.colour:
        shape = (3, layout.rows, layout.columns) if layout.planar else (layout.rows, layout.columns, 3)
        samples = samples.reshape(shape).transpose((1, 2, 0) if layout.planar else (0, 1, 2))
        return samples[..., 0].copy() if layout.photometric == "YBR_FULL" else samples
    return samples.reshape(layout.rows, layout.columns).astype(f"=u{layout.allocated // 8}", copy=False)


def _compressed(path: Path, dataset: pydicom.Dataset, layout: PixelLayout, syntax: UID) -> Samples:
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    bits = _check_frame(path, frame, layout, syntax)
    if syntax in JPEGTransferSyntaxes[:2] and bits == 8:  # baseline, and extended where it has 8 bits
        if not frame.startswith(JPEG):
            raise ImageError(path, "cannot be decoded (broken JPEG data)")
        return np.array(decode_jpeg(path, frame, max_pixels=layout.rows * layout.columns).convert("L"))
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise ImageError(path, f"is compressed as {syntax.name}, which is no picture that can be decoded") from None
    # Extended JPEG comes here with 12 bits, for which pydicom has one decoder; the others say that they can, and fail.
    plugins = set(decoder.available_plugins) - ({"pillow", "gdcm"} if syntax == JPEGExtended12Bit else set())
    if not plugins:
        package = "python-gdcm"
        if syntax in (*_HIGH_THROUGHPUT, JPEGExtended12Bit):
            package = f"pylibjpeg[{'libjpeg' if syntax == JPEGExtended12Bit else 'openjpeg'}]"
        raise ImageError(
            path, f"is compressed as {syntax.name}, for which no decoder is installed (pip install {package})"
        )
    dataset.file_meta.TransferSyntaxUID = syntax
    samples, _ = decoder.as_array(dataset, index=0)
    return samples


def _check_frame(path: Path, frame: bytes, layout: PixelLayout, syntax: UID) -> int:
    """Compare the size in a compressed frame with the header's before a decoder makes room; return bits of a sample."""
    width, height, bits = layout.columns, layout.rows, layout.stored
    if syntax in (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes):
        header, _ = jpeg_frame(path, frame)
        width, height, bits = header.width, header.height, header.bits
    elif syntax in (*JPEG2000TransferSyntaxes, *_HIGH_THROUGHPUT):
        at = frame.find(b"\xff\x4f\xff\x51")  # start of codestream, size of image (ISO 15444-1 A.5.1)
        if at < 0:
            raise ImageError(path, "cannot be decoded (broken JPEG 2000 data)")
        right, bottom, left, top = struct.unpack_from(">IIII", frame, at + 8)
        width, height = right - left, bottom - top
    elif syntax == RLELossless and len(frame) > 2 * layout.bytes + 4096:
        raise ImageError(path, "has more pixel data than its header says")
    if (width, height) != (layout.columns, layout.rows):
        raise ImageError(path, "holds a picture of another size than its header says")
    return bits
