"""The errors that the retrieval index raises on purpose."""

from __future__ import annotations

__all__ = [
    "DamagedIndexError",
    "FaissMissingError",
    "InvalidConfigError",
    "InvalidFilterError",
    "InvalidRecordsError",
    "InvalidVectorsError",
    "RetrievalIndexError",
]


class RetrievalIndexError(Exception):
    """Base of every error that this package raises on purpose; the message is one a user can act on."""


class FaissMissingError(RetrievalIndexError):
    """FAISS is not installed, or cannot use a GPU although one was demanded."""


class InvalidConfigError(RetrievalIndexError, ValueError):
    """An index setting has a value that cannot work (a ValueError too, as configuration readers expect)."""


class InvalidVectorsError(RetrievalIndexError):
    """Vectors have the wrong shape, or hold values that have no direction (NaN, infinite, all zero)."""


class InvalidRecordsError(RetrievalIndexError):
    """Records do not fit their vectors or each other (counts, duplicate ids, missing patients)."""


class InvalidFilterError(RetrievalIndexError):
    """An exclusion list or a filter does not have the shape that a search needs."""


class DamagedIndexError(RetrievalIndexError):
    """A saved index is incomplete, altered, or not what its reader needs."""
