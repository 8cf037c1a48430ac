"""Agreement of two sets of labels: Cohen's kappa a class, raw agreement, prevalence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from llmrg.errors import UserError
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.label_states import STATES, LabelRow, label_states
from llmrg.metrics.metric import Statistics
from llmrg.metrics.statistics import bootstrap_sums, percentile_bounds

__all__ = ["AGREEMENT_FIGURES", "ClassAgreement", "LabelAgreement", "agreement_figures", "label_agreement"]

AGREEMENT_FIGURES = (
    "kappa",
    "agreement",
    "kappa_positive",
    "agreement_positive",
    "prevalence_first",
    "prevalence_second",
)
_CELLS = len(STATES) ** 2

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ClassAgreement:
    """How far two sets of labels agree on one class.

    Args:
        finding: the class; ``all`` for the tables of all classes added up.
        figures: by the names of :data:`AGREEMENT_FIGURES`: Cohen's kappa and raw agreement over the four states, the
            same two for positive against the rest, and the share of reports that each side calls positive. Kappa is
            None where both sides put every report into one state, because chance then explains all agreement.
        intervals: bootstrap intervals by figure.
        table: reports by state of the first (rows) and of the second set (columns), in the order of
            :data:`llmrg.metrics.label_states.STATES`.
    """

    finding: str
    figures: Mapping[str, float | None]
    intervals: Mapping[str, tuple[float, float]]
    table: tuple[tuple[int, ...], ...]

    def to_mapping(self) -> dict[str, Any]:
        """Return the row as JSON holds it."""
        return {
            "finding": self.finding,
            **self.figures,
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            "table": [list(row) for row in self.table],
        }


@dataclass(frozen=True, kw_only=True)
class LabelAgreement:
    """Agreement of two sets of labels over a vocabulary.

    Args:
        n: reports that both sets label.
        left_out: reports that only one of them labels, or none.
        vocabulary: name of the vocabulary.
        first: name of the first set.
        second: name of the second set.
        classes: one row a class, in the vocabulary's order.
        overall: over all classes together.
        mean_kappa: mean of the classes' kappa over four states where it is defined, or None.
        mean_kappa_positive: the same for positive against the rest.
    """

    n: int
    left_out: int
    vocabulary: str
    first: str
    second: str
    classes: tuple[ClassAgreement, ...]
    overall: ClassAgreement
    mean_kappa: float | None
    mean_kappa_positive: float | None

    def to_mapping(self) -> dict[str, Any]:
        """Return all of it as JSON holds it."""
        return {
            "n": self.n,
            "left_out": self.left_out,
            "vocabulary": self.vocabulary,
            "first": self.first,
            "second": self.second,
            "mean_kappa": self.mean_kappa,
            "mean_kappa_positive": self.mean_kappa_positive,
            "overall": self.overall.to_mapping(),
            "classes": [row.to_mapping() for row in self.classes],
        }


def label_agreement(
    first: Sequence[LabelRow | None],
    second: Sequence[LabelRow | None],
    vocabulary: FindingVocabulary,
    *,
    names: tuple[str, str] = ("first", "second"),
    patients: Sequence[str] | None = None,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> LabelAgreement:
    """Compare two sets of labels of the same reports, for example our labeler's with those that a dataset ships.

    Args:
        first: labels of each report, or None where this set has none (``Study.labels`` serves as it is).
        second: labels of the same reports in the same order.
        vocabulary: the classes.
        names: what to call the two sets.
        patients: the patient of each report; without it each report counts as its own.
        resamples: bootstrap resamples over patients; 0 leaves intervals out.
        confidence: of the intervals.
        seed: of the resamples.

    Raises:
        UserError: different numbers of reports, none that both label, or labels that do not fit the vocabulary.
    """
    if len(first) != len(second) or (patients is not None and len(patients) != len(first)):
        raise UserError(f"{len(first)} label rows ({names[0]}) came with {len(second)} ({names[1]})")
    both = [place for place in range(len(first)) if first[place] is not None and second[place] is not None]
    if not both:
        raise UserError("No report has labels in both sets", where=f"{names[0]}, {names[1]}")
    states = [
        label_states([row for row in (rows[place] for place in both) if row is not None], vocabulary, name=name)
        for rows, name in zip((first, second), names, strict=True)
    ]
    statistics = _tables(states[0], states[1])
    owners = [str(place) if patients is None else patients[place] for place in both]
    sums = statistics.sum(axis=0)
    drawn = bootstrap_sums(statistics, patients=owners, resamples=resamples, seed=seed) if resamples else None

    def rows(tables: Statistics, resampled: Statistics | None, findings: Sequence[str]) -> list[ClassAgreement]:
        intervals = None
        if resampled is not None:
            flat = agreement_figures(resampled).reshape(len(resampled), -1)
            intervals = percentile_bounds(flat, confidence=confidence)
        found = []
        for place, (finding, figures) in enumerate(zip(findings, agreement_figures(tables), strict=True)):
            bounds = (
                intervals[place * len(figures) : (place + 1) * len(figures)] if intervals else [None] * len(figures)
            )
            found.append(
                ClassAgreement(
                    finding=finding,
                    figures={name: _defined(value) for name, value in zip(AGREEMENT_FIGURES, figures, strict=True)},
                    intervals={
                        name: bound for name, bound in zip(AGREEMENT_FIGURES, bounds, strict=True) if bound is not None
                    },
                    table=tuple(tuple(int(count) for count in row) for row in tables[place]),
                )
            )
        return found

    shape = (len(vocabulary), len(STATES), len(STATES))
    tables = sums.reshape(shape)
    resampled = None if drawn is None else drawn.reshape(-1, *shape)
    whole = None if resampled is None else resampled.sum(axis=1, keepdims=True)
    classes = rows(tables, resampled, vocabulary.names)
    return LabelAgreement(
        n=len(both),
        left_out=len(first) - len(both),
        vocabulary=vocabulary.name,
        first=names[0],
        second=names[1],
        classes=tuple(classes),
        overall=rows(tables.sum(axis=0, keepdims=True), whole, ["all"])[0],
        mean_kappa=_mean([row.figures["kappa"] for row in classes]),
        mean_kappa_positive=_mean([row.figures["kappa_positive"] for row in classes]),
    )


def agreement_figures(tables: Statistics) -> Floats:
    """Return the figures of tables of states ``[..., 4, 4]`` as ``[..., 6]``, in the order of their names.

    Cohen's kappa is ``(p_o - p_e) / (1 - p_e)`` with the observed and the chance share of agreement (Cohen 1960);
    NaN where ``p_e`` is 1.
    """
    tables = np.asarray(tables, dtype=np.float64)
    inside = tables[..., 1, 1]
    first, second = tables[..., 1, :].sum(axis=-1), tables[..., :, 1].sum(axis=-1)
    whole = tables.sum(axis=(-1, -2))
    binary = np.stack(
        [
            np.stack([inside, first - inside], axis=-1),
            np.stack([second - inside, whole - first - second + inside], axis=-1),
        ],
        axis=-2,
    )
    return np.stack(
        [
            *_kappa(tables),
            *_kappa(binary),
            *(np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0) for part in (first, second)),
        ],
        axis=-1,
    )


def _kappa(tables: Floats) -> tuple[Floats, Floats]:
    whole = tables.sum(axis=(-1, -2))
    agreeing = np.trace(tables, axis1=-2, axis2=-1)
    chance = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1)
    observed = np.divide(agreeing, whole, out=np.full_like(whole, np.nan), where=whole > 0)
    # Counts are whole numbers, so that whole² - chance is exactly 0 where everything lies in one state.
    room = whole**2 - chance
    kappa = np.divide(agreeing * whole - chance, room, out=np.full_like(whole, np.nan), where=room > 0)
    return kappa, observed


def _tables(first: npt.NDArray[np.int8], second: npt.NDArray[np.int8]) -> Statistics:
    cells = np.zeros((*first.shape, _CELLS))
    np.put_along_axis(cells, (len(STATES) * first.astype(np.int64) + second)[..., None], 1.0, axis=-1)
    return cells.reshape(len(first), -1)


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
