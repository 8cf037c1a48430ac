"""What a benchmark scores of the evidence that reports come with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmrg.errors import UserError

__all__ = ["DeletionSettings", "EvidenceSettings"]


@dataclass(frozen=True, kw_only=True)
class DeletionSettings:
    """The deletion test: reports are generated again without one evidence source at a time.

    Args:
        sources: names of evidence sources, or ``all`` of each run; none leaves the test out.
        studies: the first so many studies of the split.
    """

    sources: Literal["all"] | tuple[str, ...] = ()
    studies: int = 64

    def __post_init__(self) -> None:
        """Refuse sizes without sense and double names."""
        if self.studies < 1:
            raise UserError(f"studies must be at least 1, not {self.studies}", where="evidence.deletion")
        if self.sources != "all" and len(set(self.sources)) < len(self.sources):
            raise UserError("A source is named twice", where="evidence.deletion.sources")


@dataclass(frozen=True, kw_only=True)
class EvidenceSettings:
    """Which figures of evidence are computed, where the predictions carry what they need.

    Args:
        pointing: hold the disease queries' maps against the true boxes of drawn films.
        calibration: hold stated probabilities against what is so.
        threshold: part of a map's maximum from which a cell counts for intersection over union.
        bins: of the reliability tables.
        deletion: the deletion test, for systems whose run is given; it generates reports.
    """

    pointing: bool = True
    calibration: bool = True
    threshold: float = 0.5
    bins: int = 10
    deletion: DeletionSettings = DeletionSettings()

    def __post_init__(self) -> None:
        """Refuse sizes without sense."""
        if not 0 < self.threshold <= 1:
            raise UserError(f"threshold must lie in (0, 1], not {self.threshold}", where="evidence")
        if self.bins < 2:
            raise UserError(f"bins must be at least 2, not {self.bins}", where="evidence")
