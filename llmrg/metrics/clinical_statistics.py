"""Additive statistics of label rows, and the figures that their sums give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from llmrg.errors import UserError
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.clinical_protocols import Cell, class_subsets, find_cell
from llmrg.metrics.label_states import STATES, LabelRow, LabelStates, label_states
from llmrg.metrics.metric import Statistics

__all__ = [
    "CLINICAL_FAMILY",
    "FIGURES",
    "ClinicalScore",
    "cell_figures",
    "class_counts",
    "clinical_statistics",
    "confusion",
    "precision_recall_f1",
]

CLINICAL_FAMILY = "clinical"
FIGURES = ("precision", "recall", "f1")
_POSITIVE: dict[str, tuple[int, ...]] = {"negative": (1,), "positive": (1, 3)}
_CELLS = len(STATES) ** 2
_EXAMPLE = 4  # precision, recall and F1 of the report; and 1 where it is empty on both sides

Floats = npt.NDArray[np.float64]


def clinical_statistics(predicted: LabelStates, true: LabelStates, vocabulary: FindingVocabulary) -> Statistics:
    """Return what each report adds to the figures of every protocol.

    First 16 columns for each class: the cell of its table of true (4 rows) against predicted states (4 columns). Then
    four columns for either reading of "uncertain" and each set of classes: the report's own precision, recall and F1
    over the set (0 where there is nothing to divide by) and 1 where neither side has a positive class. Last a 1.

    Args:
        predicted: states of the generated reports ``[N, C]``.
        true: states of the references ``[N, C]``.
        vocabulary: its C entries.

    Returns:
        ``[N, 16 C + 8 M + 1]``, M the number of class sets (2 for chexpert14, else 1).

    Raises:
        UserError: tables of different shapes, or not of this vocabulary.
    """
    if predicted.shape != true.shape or predicted.shape[1:] != (len(vocabulary),):
        raise UserError(
            f"Label tables of {predicted.shape} and {true.shape} do not fit {len(vocabulary)} classes",
            where=f"vocabulary {vocabulary.name}",
        )
    reports = len(true)
    cells = np.zeros((reports, len(vocabulary), _CELLS))
    np.put_along_axis(cells, (len(STATES) * true.astype(np.int64) + predicted)[..., None], 1.0, axis=-1)
    parts = [cells.reshape(reports, len(vocabulary) * _CELLS)]
    for yes in _POSITIVE.values():
        said, real = np.isin(predicted, yes), np.isin(true, yes)
        for places in class_subsets(vocabulary).values():
            own, other = said[:, places], real[:, places]
            hits, stated, there = (table.sum(axis=1) for table in (own & other, own, other))
            scores = precision_recall_f1(hits, stated, there)
            parts.append(np.stack([*scores, (stated + there == 0).astype(np.float64)], axis=1))
    return np.hstack([*parts, np.ones((reports, 1))])


def confusion(sums: Statistics, vocabulary: FindingVocabulary) -> Floats:
    """Return how often each true state met each predicted state: ``[..., C, 4 (true), 4 (predicted)]``."""
    width = _CELLS * len(vocabulary)
    whole = np.asarray(sums, dtype=np.float64)[..., :width]
    return whole.reshape(*whole.shape[:-1], len(vocabulary), len(STATES), len(STATES))


def class_counts(sums: Statistics, vocabulary: FindingVocabulary, states: Sequence[int]) -> tuple[Floats, ...]:
    """Return reports where both sides, the prediction, and the truth have one of these states, each ``[..., C]``."""
    table, chosen = confusion(sums, vocabulary), list(states)
    stated, there = table[..., chosen].sum(axis=(-1, -2)), table[..., chosen, :].sum(axis=(-1, -2))
    return table[..., chosen, :][..., chosen].sum(axis=(-1, -2)), stated, there


def precision_recall_f1(hits: Any, stated: Any, there: Any) -> tuple[Floats, Floats, Floats]:
    """Return the three scores, 0 where there is nothing to divide by.

    Args:
        hits: positive on both sides.
        stated: positive in the prediction.
        there: positive in the truth.
    """
    return _ratio(hits, stated), _ratio(hits, there), _ratio(2 * np.asarray(hits), np.asarray(stated) + there)


def cell_figures(sums: Statistics, cell: Cell, vocabulary: FindingVocabulary) -> tuple[Floats, Floats, Floats]:
    """Return precision, recall and F1 of one row of the grid for sums of statistics ``[..., S]``, each ``[...]``."""
    sums = np.asarray(sums, dtype=np.float64)
    subsets, uncertain = class_subsets(vocabulary), cell.protocol.uncertain
    if cell.average == "example":
        block = list(_POSITIVE).index(uncertain) * len(subsets) + list(subsets).index(cell.classes)
        start = _CELLS * len(vocabulary) + _EXAMPLE * block
        empty = cell.protocol.empty * sums[..., start + 3]
        reports = sums[..., -1]
        first, second, third = (_ratio(sums[..., start + place] + empty, reports) for place in range(3))
        return first, second, third
    places = list(subsets[cell.classes])
    counts = [count[..., places] for count in class_counts(sums, vocabulary, _POSITIVE[uncertain])]
    if cell.average == "micro":
        return precision_recall_f1(*(count.sum(axis=-1) for count in counts))
    scores = precision_recall_f1(*counts)
    weights = counts[2] if cell.average == "weighted" else np.ones_like(counts[2])
    first, second, third = (_ratio((score * weights).sum(axis=-1), weights.sum(axis=-1)) for score in scores)
    return first, second, third


class ClinicalScore:
    """One figure of the clinical grid as a metric over label rows.

    Args:
        name: ``protocol/classes/average/figure``, for example ``r2gen/14/macro/f1``.
        vocabulary: the classes.

    Raises:
        UserError: the vocabulary's grid has no such figure.
    """

    family = CLINICAL_FAMILY

    def __init__(self, name: str, vocabulary: FindingVocabulary) -> None:
        key, _, figure = name.rpartition("/")
        if figure not in FIGURES:
            raise UserError(f"{name!r} names no figure of the clinical grid", allowed=FIGURES, got=figure)
        self.cell = find_cell(key, vocabulary)
        self.name = name
        self.vocabulary = vocabulary
        self._place = FIGURES.index(figure)

    def statistics(self, hypotheses: Sequence[LabelRow], references: Sequence[LabelRow]) -> Statistics:
        """Return :func:`clinical_statistics` of generated and reference reports' labels."""
        return clinical_statistics(
            label_states(hypotheses, self.vocabulary, name="predicted labels"),
            label_states(references, self.vocabulary, name="true labels"),
            self.vocabulary,
        )

    def value(self, sums: Statistics) -> Any:
        """Return the figure for sums of statistics ``[..., S]``: shape ``[...]``."""
        return cell_figures(sums, self.cell, self.vocabulary)[self._place]


def _ratio(part: Any, whole: Any) -> Floats:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    result: Floats = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return result
