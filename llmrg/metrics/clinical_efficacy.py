"""Clinical efficacy: every protocol of the literature side by side, with intervals, and one marked as headline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from llmrg.errors import UserError
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.clinical_classes import ClassRow, class_rows
from llmrg.metrics.clinical_protocols import PROTOCOLS, Protocol, default_headline, find_cell, grid_cells
from llmrg.metrics.clinical_statistics import FIGURES, cell_figures, clinical_statistics
from llmrg.metrics.label_states import LabelRow, label_states
from llmrg.metrics.metric import Statistics
from llmrg.metrics.statistics import bootstrap_sums, percentile_bounds

__all__ = ["PROTOCOLS", "ClinicalGrid", "GridRow", "Protocol", "clinical_grid", "grid_from_statistics"]


@dataclass(frozen=True, kw_only=True)
class GridRow:
    """Precision, recall and F1 under one protocol, set of classes and average.

    Args:
        protocol: name of the protocol.
        uncertain: what an uncertain label counted as, ``negative`` or ``positive``.
        classes: ``14``, ``5`` or ``all``.
        average: ``micro``, ``macro``, ``weighted``, ``binary-mean`` or ``example``.
        precision: of the positive classes.
        recall: of the positive classes.
        f1: of the positive classes.
        headline: whether this is the row that counts.
        intervals: of the three figures, by name; empty without resamples.
        source: who computes it so.
    """

    protocol: str
    uncertain: str
    classes: str
    average: str
    precision: float
    recall: float
    f1: float
    headline: bool = False
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    source: str = ""

    @property
    def key(self) -> str:
        """``protocol/classes/average``."""
        return f"{self.protocol}/{self.classes}/{self.average}"

    def to_mapping(self) -> dict[str, Any]:
        """Return the row as JSON holds it."""
        return {
            "protocol": self.protocol,
            "uncertain": self.uncertain,
            "classes": int(self.classes) if self.classes.isdigit() else self.classes,
            "average": self.average,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "headline": self.headline,
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            "source": self.source,
        }


@dataclass(frozen=True, kw_only=True)
class ClinicalGrid:
    """The figures of one system over findings.

    Args:
        vocabulary: name of the vocabulary.
        n: reports scored.
        rows: one for each protocol, set of classes and average.
        classes: one for each class.
        confidence: of the intervals.
        resamples: bootstrap resamples over patients; 0 where there are no intervals.
        seed: of the resamples.
        statistics: ``[N, S]``, see :func:`llmrg.metrics.clinical_statistics.clinical_statistics`.
    """

    vocabulary: str
    n: int
    rows: tuple[GridRow, ...]
    classes: tuple[ClassRow, ...]
    confidence: float
    resamples: int
    seed: int
    statistics: Statistics = field(repr=False, compare=False)

    @property
    def headline(self) -> GridRow:
        """The row that counts."""
        return next(row for row in self.rows if row.headline)

    def row(self, key: str) -> GridRow:
        """Return the row ``protocol/classes/average``.

        Raises:
            UserError: there is none.
        """
        for row in self.rows:
            if row.key == key:
                return row
        raise UserError(f"Unknown clinical protocol {key!r}", allowed=[row.key for row in self.rows], got=key)

    def to_mapping(self) -> dict[str, Any]:
        """Return all but the statistics as JSON holds it."""
        return {
            "vocabulary": self.vocabulary,
            "n": self.n,
            "confidence": self.confidence,
            "resamples": self.resamples,
            "seed": self.seed,
            "rows": [row.to_mapping() for row in self.rows],
            "classes": [row.to_mapping() for row in self.classes],
        }


def clinical_grid(
    predicted: Sequence[LabelRow] | npt.NDArray[Any],
    true: Sequence[LabelRow] | npt.NDArray[Any],
    vocabulary: FindingVocabulary,
    *,
    headline: str | None = None,
    patients: Sequence[str] | None = None,
    resamples: int = 0,
    confidence: float = 0.95,
    seed: int = 0,
) -> ClinicalGrid:
    """Score generated reports' labels against those of the references under every protocol.

    Both sides should be read by the same labeler: labels of another one differ in habit, not only in truth.

    Args:
        predicted: labels of the generated reports.
        true: labels of the references, in the same order.
        vocabulary: the classes; chexpert14 is scored over its 14 and its 5 classes, others over all of theirs.
        headline: key of the row that counts, ``protocol/classes/average`` (see
            :func:`llmrg.metrics.clinical_protocols.default_headline`).
        patients: the patient of each report; without it each report counts as its own.
        resamples: bootstrap resamples over patients; 0 leaves intervals out.
        confidence: of the intervals.
        seed: of the resamples.

    Raises:
        UserError: no reports, different numbers of them, labels that do not fit, an unknown headline.
    """
    if len(predicted) != len(true):
        raise UserError(f"{len(predicted)} label rows of generated reports came with {len(true)} of references")
    statistics = clinical_statistics(
        label_states(predicted, vocabulary, name="predicted labels"),
        label_states(true, vocabulary, name="true labels"),
        vocabulary,
    )
    return grid_from_statistics(
        statistics,
        vocabulary,
        headline=headline,
        patients=patients,
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )


def grid_from_statistics(
    statistics: Statistics,
    vocabulary: FindingVocabulary,
    *,
    headline: str | None = None,
    patients: Sequence[str] | None = None,
    resamples: int = 0,
    confidence: float = 0.95,
    seed: int = 0,
    resampled: Statistics | None = None,
) -> ClinicalGrid:
    """Compute the grid from statistics that were made before (see :func:`clinical_grid`).

    Args:
        statistics: ``[N, S]`` of :func:`llmrg.metrics.clinical_statistics.clinical_statistics`.
        vocabulary: its classes.
        headline: key of the row that counts.
        patients: the patient of each report.
        resamples: bootstrap resamples.
        confidence: of the intervals.
        seed: of the resamples.
        resampled: sums ``[R, S]`` over resampled patients, where they were drawn before together with others.

    Raises:
        UserError: no reports, or an unknown headline.
    """
    if not len(statistics):
        raise UserError("There are no reports to score")
    marked = find_cell(headline or default_headline(vocabulary), vocabulary).key
    if resampled is None and resamples:
        names = [str(number) for number in range(len(statistics))] if patients is None else patients
        resampled = bootstrap_sums(statistics, patients=names, resamples=resamples, seed=seed)
    sums = statistics.sum(axis=0)
    rows = []
    for cell in grid_cells(vocabulary):
        values = cell_figures(sums, cell, vocabulary)
        intervals = {}
        if resampled is not None:
            drawn = np.stack(cell_figures(resampled, cell, vocabulary), axis=1)
            intervals = dict(zip(FIGURES, percentile_bounds(drawn, confidence=confidence), strict=True))
        rows.append(
            GridRow(
                protocol=cell.protocol.name,
                uncertain=cell.protocol.uncertain,
                classes=cell.classes,
                average=cell.average,
                **dict(zip(FIGURES, map(float, values), strict=True)),
                headline=cell.key == marked,
                intervals={name: interval for name, interval in intervals.items() if interval is not None},
                source=cell.protocol.source,
            )
        )
    return ClinicalGrid(
        vocabulary=vocabulary.name,
        n=len(statistics),
        rows=tuple(rows),
        classes=class_rows(sums, vocabulary, resampled=resampled, confidence=confidence),
        confidence=confidence,
        resamples=0 if resampled is None else len(resampled),
        seed=seed,
        statistics=statistics,
    )
