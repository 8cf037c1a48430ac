"""Clinical efficacy: which findings a report states that are there, and on which side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from llmrg.errors import UserError
from llmrg.findings.mention import Side
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.metric import Statistics

__all__ = ["FINDING_FIGURES", "FindingScore", "PositiveFindings", "finding_statistics", "per_class_scores"]

PositiveFindings = Mapping[str, Side | None]
"""The findings that a study has or a report states, each with its side where one is stated."""

FINDING_FIGURES = (
    "clinical_micro_precision",
    "clinical_micro_recall",
    "clinical_micro_f1",
    "clinical_macro_f1",
    "clinical_macro_f1_supported",
    "clinical_strict_f1",
    "side_accuracy",
)
_SIDES: dict[Side | None, int] = {None: 0, "left": 1, "right": 2, "bilateral": 3}


def finding_statistics(
    predicted: Sequence[PositiveFindings], true: Sequence[PositiveFindings], vocabulary: FindingVocabulary
) -> Statistics:
    """Return what each study adds to the figures over findings, ``[N, 3 C + 5]``.

    The columns are true positives, false positives, false negatives of each of the C classes; then those three with
    the side demanded; then true positives whose true side is known, and those of them on that side.

    Only the abnormal entries of the vocabulary are classes; "No Finding" is left out. The side is demanded of a
    finding that the vocabulary calls sided and whose true side is stated; a finding on another side (or on none, or
    on both instead of one) then is a false positive and a false negative.

    Args:
        predicted: what each report states.
        true: what each study has.
        vocabulary: the classes.

    Raises:
        UserError: a finding that the vocabulary does not have.
    """
    if len(predicted) != len(true):
        raise ValueError(f"one list is shorter: {len(predicted)} predicted, {len(true)} true studies")
    said, said_side = _present(predicted, vocabulary)
    real, real_side = _present(true, vocabulary)
    sided = np.array([finding.sided for finding in vocabulary.abnormal], dtype=bool)
    hits, wrong, missed = said & real, said & ~real, real & ~said
    judged = hits & sided & (real_side > 0)
    right = judged & (said_side == real_side)
    off = judged & ~right
    counts = [table.sum(axis=1) for table in (hits & ~off, wrong | off, missed | off, judged, right)]
    return np.hstack([hits, wrong, missed, np.stack(counts, axis=1)]).astype(np.float64)


def _present(
    rows: Sequence[PositiveFindings], vocabulary: FindingVocabulary
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int8]]:
    """Return which findings each study has, and their sides as numbers (0 none), both ``[N, C]``."""
    classes = {finding.name: place for place, finding in enumerate(vocabulary.abnormal)}
    normal = {finding.name for finding in vocabulary if finding.normal}
    there = np.zeros((len(rows), len(classes)), dtype=bool)
    sides = np.zeros(there.shape, dtype=np.int8)
    for number, row in enumerate(rows):
        for name, side in row.items():
            if name in normal:
                continue
            if name not in classes:
                raise UserError(
                    f"Unknown finding {name!r}", where=f"vocabulary {vocabulary.name}", allowed=classes, got=str(name)
                )
            there[number, classes[name]] = True
            sides[number, classes[name]] = _SIDES[side]
    return there, sides


class FindingScore:
    """One figure over findings.

    A precision, recall or F1 with nothing to divide by is 0 (as in scikit-learn with ``zero_division=0``), also in
    the mean over classes: ``clinical_macro_f1`` counts every class of the vocabulary, ``clinical_macro_f1_supported``
    those that occur in the truth. ``side_accuracy`` with no side to name is NaN: it says nothing.

    Args:
        figure: one of :data:`FINDING_FIGURES`.
        vocabulary: the classes.

    Raises:
        UserError: an unknown figure.
    """

    family = "findings"

    def __init__(self, figure: str, vocabulary: FindingVocabulary) -> None:
        if figure not in FINDING_FIGURES:
            raise UserError(f"Unknown figure {figure!r}", allowed=FINDING_FIGURES, got=figure)
        self.name = figure
        self.vocabulary = vocabulary

    def statistics(self, hypotheses: Sequence[PositiveFindings], references: Sequence[PositiveFindings]) -> Statistics:
        """Return :func:`finding_statistics` of predicted and true findings."""
        return finding_statistics(hypotheses, references, self.vocabulary)

    def value(self, sums: Statistics) -> Any:
        """Return the figure for sums of statistics ``[..., 3 C + 5]``."""
        sums = np.asarray(sums, dtype=np.float64)
        size = len(self.vocabulary.abnormal)
        hits, wrong, missed = (sums[..., kind * size : (kind + 1) * size] for kind in range(3))
        if self.name == "side_accuracy":
            known, right = sums[..., -2], sums[..., -1]
            return np.divide(right, known, out=np.full_like(known, np.nan), where=known > 0)
        if self.name == "clinical_strict_f1":
            return _f1(sums[..., 3 * size], sums[..., 3 * size + 1], sums[..., 3 * size + 2])
        if self.name == "clinical_macro_f1":
            return _f1(hits, wrong, missed).mean(axis=-1)
        if self.name == "clinical_macro_f1_supported":
            supported = hits + missed > 0
            return _ratio((_f1(hits, wrong, missed) * supported).sum(axis=-1), supported.sum(axis=-1))
        hits, wrong, missed = hits.sum(axis=-1), wrong.sum(axis=-1), missed.sum(axis=-1)
        if self.name == "clinical_micro_precision":
            return _ratio(hits, hits + wrong)
        if self.name == "clinical_micro_recall":
            return _ratio(hits, hits + missed)
        return _f1(hits, wrong, missed)


def per_class_scores(sums: Statistics, vocabulary: FindingVocabulary) -> dict[str, dict[str, float | int]]:
    """Return precision, recall, F1 and support (studies that have it) of each class.

    Args:
        sums: the sum of :func:`finding_statistics` over studies ``[3 C + 5]``.
        vocabulary: the classes.
    """
    size = len(vocabulary.abnormal)
    hits, wrong, missed = (sums[kind * size : (kind + 1) * size] for kind in range(3))
    columns = (_ratio(hits, hits + wrong), _ratio(hits, hits + missed), _f1(hits, wrong, missed), hits + missed)
    return {
        finding.name: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(support)}
        for finding, p, r, f, support in zip(vocabulary.abnormal, *columns, strict=True)
    }


def _ratio(part: Any, whole: Any) -> npt.NDArray[np.float64]:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    result: npt.NDArray[np.float64] = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return result


def _f1(hits: Any, wrong: Any, missed: Any) -> npt.NDArray[np.float64]:
    return _ratio(2 * hits, 2 * hits + wrong + missed)
