"""DICOM films: read safely, and brought to the look that their header asks for."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.filereader import read_file_meta_info
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from llmrg.studies._image_error import ImageError

__all__ = ["read_dicom"]

Pixels = npt.NDArray[Any]

logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # its warnings quote the header, which names the patient


def read_dicom(path: Path, *, max_pixels: int) -> npt.NDArray[np.uint8]:
    """Decode a DICOM film to 8-bit grey.

    Stored values pass through the modality transform (rescale slope and intercept, or its table) and the first
    window or VOI table; without one, the range of the values is stretched to black and white, except that 8-bit values
    without any transform stay as they are. MONOCHROME1 is inverted, padding is black. (DICOM PS3.3
    C.7.6.3, C.11.1, C.11.2.)

    Args:
        path: the file; the caller has judged its size.
        max_pixels: larger films are refused before their pixels are decoded.

    Returns:
        Grey values [H, W].

    Raises:
        ImageError: a directory, several frames, a deflated or unknown transfer syntax, colour, no pixel data, too
            large, truncated or broken; the message holds nothing of the header but the kind of file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns about values of the header, and quotes them
            dataset = _read_header_then_all(path, max_pixels=max_pixels)
            return _render(dataset, path=path)
    except ImageError:
        raise
    except Exception as error:  # pydicom and its decoders raise almost anything on broken files
        raise ImageError(path, f"cannot be decoded (broken DICOM data, {type(error).__name__})") from error


def _read_header_then_all(path: Path, *, max_pixels: int) -> pydicom.Dataset:
    _check_transfer_syntax(path)  # before anything is inflated
    header = pydicom.dcmread(path, force=False, stop_before_pixels=True)
    if "DirectoryRecordSequence" in header:
        raise ImageError(path, "is a DICOM directory (DICOMDIR), not a film")
    frames = int(header.get("NumberOfFrames") or 1)
    if frames != 1:
        raise ImageError(path, f"holds {frames} frames; a film has one")
    rows, columns = header.get("Rows"), header.get("Columns")
    if not rows or not columns:
        raise ImageError(path, "is a DICOM file without an image (no rows and columns)")
    if int(rows) * int(columns) > max_pixels:
        raise ImageError(path, f"has {columns} x {rows} pixels, more than {max_pixels:,}")
    if int(header.get("SamplesPerPixel", 1)) != 1 or header.get("PhotometricInterpretation") not in (
        "MONOCHROME1",
        "MONOCHROME2",
    ):
        raise ImageError(path, "is a colour image, not a grey DICOM film (MONOCHROME1 or MONOCHROME2)")
    dataset = pydicom.dcmread(path, force=False)
    if "PixelData" not in dataset:
        raise ImageError(path, "is a DICOM file without pixel data")
    return dataset


def _check_transfer_syntax(path: Path) -> None:
    meta = read_file_meta_info(path)
    if meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        raise ImageError(path, "is a DICOM directory (DICOMDIR), not a film")
    syntax = meta.get("TransferSyntaxUID")
    if syntax is None:
        raise ImageError(path, "is a DICOM file that does not name its transfer syntax")
    if syntax == DeflatedExplicitVRLittleEndian:
        raise ImageError(path, "is a deflated DICOM file; store it in another transfer syntax")
    if syntax.is_private or not syntax.is_transfer_syntax:
        raise ImageError(path, "is a DICOM file of an unknown transfer syntax")


def _render(dataset: pydicom.Dataset, *, path: Path) -> npt.NDArray[np.uint8]:
    try:
        stored: Pixels = dataset.pixel_array
    except (NotImplementedError, RuntimeError, AttributeError) as error:
        name = dataset.file_meta.TransferSyntaxUID.name
        if dataset.file_meta.TransferSyntaxUID.is_compressed and "plugin" in str(error).lower():
            raise ImageError(path, f"is compressed as {name}, for which no decoder is installed") from error
        raise
    if stored.ndim != 2:
        raise ImageError(path, "is not one grey image")
    values: Pixels = apply_modality_lut(stored, dataset)
    padding = _padding(stored, dataset)
    grey = _window(values, dataset)
    if grey is None or (np.ptp(grey) == 0 and np.ptp(values) > 0):
        shown = values is stored and dataset.BitsStored <= 8  # 8 bits without a transform are meant for a screen
        grey = values / 255.0 if shown else _stretch(values.astype(np.float64), padding)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        grey = 1.0 - grey
    grey[padding] = 0.0
    return np.rint(grey * 255.0).astype(np.uint8)


def _window(values: Pixels, dataset: pydicom.Dataset) -> npt.NDArray[np.float64] | None:
    """Apply the first VOI table or window; return values in 0..1, or None where there is none that works."""
    try:
        if dataset.get("VOILUTSequence"):
            return _voi_table(values, dataset.VOILUTSequence[0])
        if "WindowCenter" not in dataset or "WindowWidth" not in dataset:
            return None
        seen = np.asarray(apply_voi_lut(values, dataset, index=0, prefer_lut=False), dtype=np.float64)
        low, high = _window_range(dataset)
    except (ValueError, TypeError, AttributeError, IndexError, NotImplementedError):
        return None  # a window of width 0 and the like: the film itself is sound
    return np.clip((seen - low) / max(high - low, 1e-12), 0.0, 1.0)


def _voi_table(values: Pixels, item: pydicom.Dataset) -> npt.NDArray[np.float64]:
    """Look values up in a VOI table (PS3.3 C.11.2.1.1); pydicom wraps indices above 255 where entries have 8 bits."""
    entries, first, bits = (int(number) for number in item.LUTDescriptor)
    entries = entries or 65536
    data = item.LUTData
    if isinstance(data, bytes):
        table = np.frombuffer(data, dtype="<u2" if len(data) >= 2 * entries else "u1")[:entries]
    else:
        table = np.asarray(data)[:entries]
    index = np.clip(np.floor(values).astype(np.int64) - first, 0, len(table) - 1)
    return np.clip(table[index] / float(2**bits - 1), 0.0, 1.0)


def _window_range(dataset: pydicom.Dataset) -> tuple[float, float]:
    """Values that the window maps black and white to, as pydicom does (the whole range of stored values, rescaled)."""
    if dataset.get("ModalityLUTSequence"):
        return 0.0, float(2 ** int(dataset.ModalityLUTSequence[0].LUTDescriptor[2]) - 1)
    bits = int(dataset.BitsStored)
    signed = int(dataset.PixelRepresentation) == 1
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    slope = float(dataset.get("RescaleSlope", 1) or 1)
    intercept = float(dataset.get("RescaleIntercept", 0) or 0)
    low, high = (end * slope + intercept for end in ends)
    return low, high


def _padding(stored: Pixels, dataset: pydicom.Dataset) -> npt.NDArray[np.bool_]:
    first = dataset.get("PixelPaddingValue")
    if not isinstance(first, int):
        return np.zeros(stored.shape, dtype=bool)
    last = dataset.get("PixelPaddingRangeLimit")
    last = last if isinstance(last, int) else first
    found: npt.NDArray[np.bool_] = (stored >= min(first, last)) & (stored <= max(first, last))
    return found if not found.all() else np.zeros(stored.shape, dtype=bool)


def _stretch(values: npt.NDArray[np.float64], padding: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    inside = values[~padding]
    low, high = float(inside.min()), float(inside.max())
    if high <= low:
        return np.zeros(values.shape)
    return np.clip((values - low) / (high - low), 0.0, 1.0)
