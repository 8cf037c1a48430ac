"""Vectors as an index takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval_index.errors import InvalidVectorsError

Vectors = npt.NDArray[np.float32]


def unit_vectors(vectors: Any, *, dimension: int | None = None, name: str = "vectors") -> Vectors:
    """Return vectors ``[N, D]`` scaled to length 1, as a new contiguous float32 array.

    Args:
        vectors: anything NumPy reads as real numbers of shape ``[N, D]``.
        dimension: the D that is needed, if known.
        name: what to call them in messages.

    Raises:
        InvalidVectorsError: wrong shape or dimension, NaN, infinity, or a vector of length 0.
    """
    try:
        array = np.asarray(vectors)
        wide = np.array(array, dtype=np.float64, order="C") if array.dtype.kind in "fiu" else None
    except (TypeError, ValueError) as error:
        raise InvalidVectorsError(f"{name} cannot be read as an array of numbers [N, D]") from error
    if wide is None or wide.ndim != 2 or wide.shape[1] == 0:
        raise InvalidVectorsError(f"{name} must be real numbers of shape [N, D], not {array.dtype} {array.shape}")
    if dimension is not None and wide.shape[1] != dimension:
        raise InvalidVectorsError(f"{name} have {wide.shape[1]} dimensions, but the index has {dimension}")
    finite = np.isfinite(wide).all(axis=1)
    if not finite.all():
        raise InvalidVectorsError(f"{name} hold NaN or infinite values, first in row {int(np.argmin(finite))}")
    # Scaling by the largest entry first keeps the squares of very large or small vectors in range.
    largest = np.abs(wide).max(axis=1, keepdims=True)
    if not largest.all():
        raise InvalidVectorsError(f"{name} hold a vector of length 0, first in row {int(np.argmin(largest[:, 0]))}")
    wide /= largest
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    return wide.astype(np.float32)
