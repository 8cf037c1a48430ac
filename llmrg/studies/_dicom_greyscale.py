"""The greyscale pipeline of DICOM: stored values to what a screen shows (PS3.3 C.11.1, C.11.2; PS3.4 N.2).

A film has at most 65,536 different values, so the pipeline runs over those, in float64, and each pixel is looked up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom

from llmrg.studies._dicom_header import PixelLayout

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_BLOCK = 2**20  # pixels looked up at once: NumPy widens indices to 8 bytes


def displayed(dataset: pydicom.Dataset, stored: npt.NDArray[np.uint16], layout: PixelLayout) -> npt.NDArray[np.uint8]:
    """Bring the stored values of a grey film to the look that its header asks for.

    Args:
        dataset: the header.
        stored: the stored bits [H, W], not yet signed.
        layout: how they are to be read.

    Returns:
        Grey values [H, W], 0 black to 255 white.
    """
    bits = np.arange(2**layout.stored, dtype=np.float64)
    values = np.where(bits >= 2 ** (layout.stored - 1), bits - 2**layout.stored, bits) if layout.signed else bits
    present = np.zeros(len(bits), dtype=bool)
    flat = stored.reshape(-1)
    for start in range(0, len(flat), _BLOCK):
        present[flat[start : start + _BLOCK]] = True
    padding = _padding(dataset, values, layout)
    if not (present & ~padding).any():
        padding = np.zeros_like(padding)
    grey = _grey(dataset, values, present & ~padding, layout)
    if layout.photometric == "MONOCHROME1":
        grey = 1.0 - grey
    grey[padding] = 0.0
    table = np.rint(grey * 255.0).astype(np.uint8)
    film = np.empty(stored.shape, dtype=np.uint8)
    shown = film.reshape(-1)
    for start in range(0, len(flat), _BLOCK):
        shown[start : start + _BLOCK] = table[flat[start : start + _BLOCK]]
    return film


def _grey(dataset: pydicom.Dataset, stored: Values, present: Mask, layout: PixelLayout) -> Values:
    """Return 0..1 for each possible value; ``present`` marks those that occur and are no padding."""
    values, transformed = _modality(dataset, stored)
    varies = bool(np.ptp(values[present]) > 0)
    for shown in (_voi_table(dataset, values), _window(dataset, values)):
        if shown is not None and (np.ptp(shown[present]) > 0 or not varies):
            return shown
    if layout.stored <= 8 and not transformed and not layout.signed:  # 8 bits without a transform suit a screen
        return stored / (2**layout.stored - 1)
    low, high = float(values[present].min()), float(values[present].max())
    return np.clip((values - low) / (high - low), 0.0, 1.0) if high > low else np.zeros_like(values)


def _modality(dataset: pydicom.Dataset, stored: Values) -> tuple[Values, bool]:
    item = _first_item(dataset, "ModalityLUTSequence")
    table = None if item is None else _look_up(item, stored, dataset)
    if table is not None:
        return table[0], True
    slope, intercept = _number(dataset, "RescaleSlope", 1.0), _number(dataset, "RescaleIntercept", 0.0)
    if not slope or intercept is None or (slope, intercept) == (1.0, 0.0):
        return stored, False
    return stored * slope + intercept, True


def _voi_table(dataset: pydicom.Dataset, values: Values) -> Values | None:
    item = _first_item(dataset, "VOILUTSequence")
    found = None if item is None else _look_up(item, values, dataset)
    return None if found is None else np.clip(found[0] / found[1], 0.0, 1.0)


def _window(dataset: pydicom.Dataset, values: Values) -> Values | None:
    """Apply the first window; None where there is none, or an impossible one (PS3.3 C.11.2.1.2, C.11.2.1.3)."""
    centre, width = _number(dataset, "WindowCenter", None), _number(dataset, "WindowWidth", None)
    if centre is None or width is None or width <= 0:
        return None
    function = str(dataset.get("VOILUTFunction") or "LINEAR").strip().upper()
    if function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -700.0, 700.0)))
    if function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0.0, 1.0)
    if width < 1:
        return None
    if width == 1:
        return (values > centre - 0.5).astype(np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1.0) + 0.5, 0.0, 1.0)


def _look_up(item: pydicom.Dataset, values: Values, dataset: pydicom.Dataset) -> tuple[Values, float] | None:
    """Map values through a table (PS3.3 C.11.1.1.1); return them with the table's white, or None if it is broken."""
    try:
        entries, first, bits = (int(number) for number in item.LUTDescriptor)
        entries = entries or 65536
        data: Any = item.LUTData
        if isinstance(data, bytes):
            order = "<" if dataset.original_encoding[1] is not False else ">"
            data = np.frombuffer(data, dtype=f"{order}u2" if len(data) >= 2 * entries else "u1")
        table = np.asarray(data, dtype=np.float64)[:entries]
    except (TypeError, ValueError, AttributeError):
        return None
    if table.ndim != 1 or len(table) != entries or not 1 <= bits <= 16:
        return None
    if first >= 2**15 and values.min() < 0:
        first -= 2**16  # a signed film's first value, read as unsigned
    return table[np.clip(np.floor(values) - first, 0, entries - 1).astype(np.int64)], float(2**bits - 1)


def _padding(dataset: pydicom.Dataset, values: Values, layout: PixelLayout) -> Mask:
    """Mark the values that stand for no picture (PS3.3 C.7.5.1.1.2)."""
    first = _number(dataset, "PixelPaddingValue", None)
    if first is None:
        return np.zeros(len(values), dtype=bool)
    last = _number(dataset, "PixelPaddingRangeLimit", first)
    ends = [_as_stored(end, layout) for end in (first, first if last is None else last)]
    return (values >= min(ends)) & (values <= max(ends))


def _as_stored(value: float, layout: PixelLayout) -> float:
    """Read a value of 16 bits with the sign and the bits that pixels have; writers mix both up."""
    bits = int(value) & (2**layout.stored - 1)
    return float(bits - 2**layout.stored if layout.signed and bits >= 2 ** (layout.stored - 1) else bits)


def _first_item(dataset: pydicom.Dataset, name: str) -> pydicom.Dataset | None:
    try:
        items = dataset.get(name)
        return items[0] if items else None
    except (TypeError, ValueError, AttributeError, IndexError):
        return None


def _number(dataset: pydicom.Dataset, name: str, default: float | None) -> float | None:
    """Return the first number of an element; the default where it is absent, empty or no finite number."""
    try:
        value = dataset.get(name)
        if isinstance(value, Sequence) and not isinstance(value, str):
            value = value[0] if value else None
        number = float(value) if value is not None else math.nan
    except (TypeError, ValueError, AttributeError, IndexError):
        return default
    return number if math.isfinite(number) else default
