"""Maps of the disease queries in prediction records: where each query looked, film by film."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["decode_maps", "decode_offset", "encode_maps"]

_NUMBERS = np.dtype("<f2")


def encode_maps(maps: npt.NDArray[Any], *, offset: tuple[float, float] = (0.0, 0.0)) -> dict[str, Any]:
    """Write maps as JSON can hold them: about 2.7 bytes a number.

    Half precision keeps three figures of every number above 6e-5, so that shares and maxima stay what they are.

    Args:
        maps: [F, V, h, w], at least 0.
        offset: by which what the cells tell lies to the right of and below their middles, in parts of the film's side
            (:func:`llmrg.vision.token_centres.token_offset`).

    Returns:
        ``shape``, ``float16`` (little-endian, base64) and ``offset``.
    """
    numbers = np.ascontiguousarray(maps, dtype=_NUMBERS)
    text = base64.b64encode(numbers.tobytes()).decode("ascii")
    return {"shape": list(numbers.shape), "float16": text, "offset": list(offset)}


def decode_maps(value: object) -> npt.NDArray[np.float64] | None:
    """Read what :func:`encode_maps` wrote.

    Args:
        value: the value of ``maps`` in a prediction's ``disease_queries`` record.

    Returns:
        [F, V, h, w], or None where this is no such thing.
    """
    if not isinstance(value, Mapping):
        return None
    shape, text = value.get("shape"), value.get("float16")
    if not isinstance(text, str) or not isinstance(shape, list) or len(shape) != 4:
        return None
    if not all(isinstance(length, int) and length >= 0 for length in shape):
        return None
    try:
        numbers = np.frombuffer(base64.b64decode(text, validate=True), dtype=_NUMBERS)
        maps = numbers.reshape(shape).astype(np.float64)
    except (ValueError, binascii.Error):
        return None
    return maps if np.isfinite(maps).all() and (maps >= 0).all() else None


def decode_offset(value: object) -> tuple[float, float]:
    """Read the offset that :func:`encode_maps` wrote.

    Args:
        value: the value of ``maps`` in a prediction's ``disease_queries`` record.

    Returns:
        To the right and down; none where none is told, or one that cannot be: of half a film or more.
    """
    found = value.get("offset") if isinstance(value, Mapping) else None
    if not isinstance(found, list) or len(found) != 2:
        return 0.0, 0.0
    if not all(isinstance(part, int | float) and abs(part) < 0.5 for part in found):
        return 0.0, 0.0
    return float(found[0]), float(found[1])
