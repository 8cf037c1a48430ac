"""What a search returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Hit", "Hits"]


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One record found for one query.

    Args:
        id: the record's id.
        row: its place in ``RetrievalIndex.records``.
        score: its similarity (cosine, -1 to 1).
    """

    id: str
    row: int
    score: float


@dataclass(frozen=True, kw_only=True)
class Hits:
    """The best records of each query, best first; ties are ordered by row.

    Args:
        ids: ids ``[Q, k]`` (object array); ``None`` where fewer than ``k`` records were admissible.
        scores: similarities ``[Q, k]`` (float32); ``-inf`` there.
        rows: places in ``RetrievalIndex.records`` ``[Q, k]`` (int64); ``-1`` there.
    """

    ids: npt.NDArray[Any]
    scores: npt.NDArray[np.float32]
    rows: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, query: int) -> list[Hit]:
        """Return the hits of one query without padding."""
        return [
            Hit(id=str(id_), row=int(row), score=float(score))
            for id_, row, score in zip(self.ids[query], self.rows[query], self.scores[query], strict=True)
            if row >= 0
        ]
