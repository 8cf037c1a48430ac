"""What must be equal before figures of two systems may be held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llmrg.errors import UserError
from llmrg.metrics.clinical_statistics import CLINICAL_FAMILY, ClinicalScore, confusion
from llmrg.metrics.finding_scores import FindingScore
from llmrg.metrics.metric import Metric, Statistics
from llmrg.metrics.scores import Scores

__all__ = ["comparable_metrics", "require_comparable"]

# Figures without a better end: a difference in them is no merit.
_NEUTRAL = frozenset({"mean_length", "reports_comparing", "kept_comparisons"})


def comparable_metrics(runs: Sequence[Scores], wanted: Sequence[str] | None = None) -> list[str]:
    """Return the names of the figures that all runs have.

    Args:
        runs: scores of all runs.
        wanted: names of figures; None for all that have a better end.

    Raises:
        UserError: a wanted figure is not there, or none is shared.
    """
    shared = [name for name in runs[0].formulas if all(name in run.formulas for run in runs)]
    if wanted is None:
        found = [name for name in shared if name not in _NEUTRAL]
    else:
        for name in wanted:
            if name not in shared:
                raise UserError(f"Not all systems were scored in {name!r}", allowed=shared, got=name)
        found = list(dict.fromkeys(wanted))
    if not found:
        raise UserError("The systems share no metric", next_step="score them with the same metrics")
    return found


def require_comparable(runs: Sequence[Scores], metrics: Sequence[str], *, names: Sequence[str]) -> None:
    """Refuse runs that were not scored on the same studies in the same way.

    Args:
        runs: scores of all runs.
        metrics: the figures to be compared.
        names: what to call each run.

    Raises:
        UserError: ids, references, patients, true findings or settings differ; says which and where.
    """
    model = runs[0]
    for run, name in zip(runs[1:], names[1:], strict=True):
        where = f"{names[0]} and {name}"
        if run.ids != model.ids:
            apart = set(run.ids) ^ set(model.ids)
            example = f", first {min(apart)!r}" if apart else ""
            raise UserError(
                f"The systems were scored on different studies ({len(apart)} stand on one side only{example})",
                where=where,
                next_step="score both on exactly the same studies; the intersection would change every figure",
            )
        if run.reference_hash != model.reference_hash:
            raise UserError(
                f"The systems were scored against different references (hashes {model.reference_hash[:12]} and "
                f"{run.reference_hash[:12]})",
                where=where,
                next_step="score both against the same reference file under the same reference protocol",
            )
        if run.patients != model.patients:
            raise UserError("The systems know different patients for the same studies", where=where)
        for metric in metrics:
            signatures = [scores.signatures.get(metric, "") for scores in (model, run)]
            if signatures[0] != signatures[1]:
                raise UserError(
                    f"{metric} was computed with different settings: {signatures[0]} and {signatures[1]}",
                    where=where,
                    next_step="score both with the same settings",
                )
        _require_same_truth(model, run, metrics, where)


def _require_same_truth(first: Scores, second: Scores, metrics: Sequence[str], where: str) -> None:
    # Findings may come from elsewhere than the references, so that the references' hash says nothing of them.
    for family in {first.formulas[name].family for name in metrics}:
        formula = next(formula for formula in first.formulas.values() if formula.family == family)
        truths = [_truth(formula, scores.statistics[family]) for scores in (first, second)]
        if truths[0] is not None and not np.array_equal(truths[0], truths[1]):
            raise UserError("The systems were scored against different true findings", where=where)


def _truth(formula: Metric[Any], statistics: Statistics) -> Any:
    if isinstance(formula, ClinicalScore) and formula.family == CLINICAL_FAMILY:
        return confusion(statistics, formula.vocabulary).sum(axis=-1)
    if isinstance(formula, FindingScore):
        size = len(formula.vocabulary.abnormal)
        return statistics[:, :size] + statistics[:, 2 * size : 3 * size]
    return None
