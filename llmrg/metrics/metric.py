"""What every metric is: additive statistics a study, and a value of their sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Metric", "Statistics", "mean_value", "require_pairs", "scores_as_statistics"]

Statistics = npt.NDArray[np.float64]
"""``[N, S]``: one row a study; or a sum of rows ``[S]``; or many sums ``[R, S]``."""

Item = TypeVar("Item", contravariant=True)


class Metric(Protocol[Item]):
    """A figure that is computed from sums over studies.

    Attributes:
        name: key in tables and results.
        family: metrics of one family share their statistics.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def family(self) -> str: ...  # noqa: D102

    def statistics(self, hypotheses: Sequence[Item], references: Sequence[Item]) -> Statistics:
        """Return ``[N, S]``: what each study adds."""
        ...

    def value(self, sums: Statistics) -> Any:
        """Return the figure for a sum of statistics ``[..., S]``: shape ``[...]``."""
        ...


def require_pairs(hypotheses: Sequence[Any], references: Sequence[Any]) -> None:
    """Refuse lists of different lengths.

    Raises:
        ValueError: they differ.
    """
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses came with {len(references)} references")


def scores_as_statistics(scores: Sequence[float]) -> Statistics:
    """Return ``[N, 2]`` for a metric whose figure is a mean: each study's score, and 1."""
    return np.stack([np.asarray(scores, dtype=np.float64), np.ones(len(scores))], axis=1)


def mean_value(sums: Statistics) -> Any:
    """Return the mean for sums of :func:`scores_as_statistics` ``[..., 2]``."""
    sums = np.asarray(sums, dtype=np.float64)
    return sums[..., 0] / sums[..., 1]
