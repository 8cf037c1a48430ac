"""The class table: precision, recall and F1 of every class and polarity, and agreement over the four states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.agreement import agreement_figures
from llmrg.metrics.clinical_statistics import FIGURES, class_counts, confusion, precision_recall_f1
from llmrg.metrics.metric import Statistics
from llmrg.metrics.statistics import percentile_bounds

__all__ = ["POLARITIES", "ClassRow", "PolarityScore", "class_rows"]

POLARITIES: dict[str, tuple[int, ...]] = {
    "positive": (1,),
    "positive_or_uncertain": (1, 3),
    "negative": (2,),
    "uncertain": (3,),
}
"""What counts as stated, by name, as places in :data:`llmrg.metrics.label_states.STATES`."""


@dataclass(frozen=True, kw_only=True)
class PolarityScore:
    """How well one polarity of one class is stated.

    Args:
        precision: share of the statements that are true; 0 where there is none.
        recall: share of the true ones that are stated; 0 where there is none.
        f1: of both.
        support: references that have it.
        stated: generated reports that state it.
        intervals: of the first three, by name.
    """

    precision: float
    recall: float
    f1: float
    support: int
    stated: int
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        """Return the scores as JSON holds them."""
        intervals = {name: list(interval) for name, interval in self.intervals.items()}
        return {name: getattr(self, name) for name in (*FIGURES, "support", "stated")} | {"intervals": intervals}


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One class in the class table.

    Args:
        finding: its name.
        polarities: scores by the names of :data:`POLARITIES`.
        agreement: share of reports in the same of the four states (positive, negative, uncertain, unmentioned).
        kappa: Cohen's kappa over the four states; None where all reports are in one state on both sides.
        intervals: of ``agreement`` and ``kappa``.
    """

    finding: str
    polarities: Mapping[str, PolarityScore]
    agreement: float
    kappa: float | None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        """Return the row as JSON holds it."""
        return {
            "finding": self.finding,
            **{name: score.to_mapping() for name, score in self.polarities.items()},
            "agreement": self.agreement,
            "kappa": self.kappa,
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
        }


def class_rows(
    sums: Statistics,
    vocabulary: FindingVocabulary,
    *,
    resampled: Statistics | None = None,
    confidence: float = 0.95,
) -> tuple[ClassRow, ...]:
    """Return the class table.

    Args:
        sums: the sum of :func:`llmrg.metrics.clinical_statistics.clinical_statistics` over reports ``[S]``.
        vocabulary: the classes.
        resampled: sums over resampled patients ``[R, S]``, or None for a table without intervals.
        confidence: of the intervals.
    """
    size = len(vocabulary)
    scores: dict[str, list[PolarityScore]] = {}
    for name, states in POLARITIES.items():
        counts = class_counts(sums, vocabulary, states)
        values = np.stack(precision_recall_f1(*counts), axis=-1)
        bounds: list[tuple[float, float] | None] = [None] * (3 * size)
        if resampled is not None:
            drawn = np.stack(precision_recall_f1(*class_counts(resampled, vocabulary, states)), axis=-1)
            bounds = percentile_bounds(drawn.reshape(len(resampled), -1), confidence=confidence)
        scores[name] = [
            PolarityScore(
                **dict(zip(FIGURES, map(float, row), strict=True)),
                support=int(counts[2][place]),
                stated=int(counts[1][place]),
                intervals=_named(FIGURES, bounds[3 * place : 3 * place + 3]),
            )
            for place, row in enumerate(values)
        ]
    over_states = agreement_figures(confusion(sums, vocabulary))[:, :2]
    state_bounds: list[tuple[float, float] | None] = [None] * (2 * size)
    if resampled is not None:
        drawn = agreement_figures(confusion(resampled, vocabulary))[..., :2]
        state_bounds = percentile_bounds(drawn.reshape(len(resampled), -1), confidence=confidence)
    return tuple(
        ClassRow(
            finding=name,
            polarities={polarity: rows[place] for polarity, rows in scores.items()},
            agreement=float(over_states[place, 1]),
            kappa=None if np.isnan(over_states[place, 0]) else float(over_states[place, 0]),
            intervals=_named(("kappa", "agreement"), state_bounds[2 * place : 2 * place + 2]),
        )
        for place, name in enumerate(vocabulary.names)
    )


def _named(names: tuple[str, ...], bounds: list[tuple[float, float] | None]) -> dict[str, tuple[float, float]]:
    return {name: bound for name, bound in zip(names, bounds, strict=True) if bound is not None}
