"""Figures over several scored sets at once, in different languages perhaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from llmrg.errors import UserError
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.finding_scores import FINDING_FIGURES, FindingScore
from llmrg.metrics.metric import Metric
from llmrg.metrics.scores import Scores
from llmrg.metrics.wording import text_metrics

__all__ = ["pooled_figures"]


def pooled_figures(parts: Sequence[Scores], vocabulary: FindingVocabulary | None = None) -> dict[str, float | None]:
    """Compute the additive figures of :func:`llmrg.metrics.scores.score_reports` over all studies of several sets.

    Every report is cut into tokens as its own set's language wants it (and weighs words as its own set's references
    do), then the statistics of all studies are summed: so findings count as if they were one set, and figures that are
    means over studies are the means over all.

    Args:
        parts: scores of each set.
        vocabulary: of the findings, where they were scored.

    Returns:
        Figures by name; None where they are not defined. ``distinct_ratio`` is no sum and not among them.

    Raises:
        UserError: no sets, or sets that do not carry the same statistics.
    """
    metrics: list[Metric[Any]] = list(text_metrics())
    if vocabulary is not None:
        metrics += [FindingScore(figure, vocabulary) for figure in FINDING_FIGURES]
    if not parts or any(metric.family not in part.statistics for part in parts for metric in metrics):
        raise UserError("Only sets that were scored in the same way can be pooled")
    figures: dict[str, float | None] = {}
    for metric in metrics:
        sums = np.vstack([part.statistics[metric.family] for part in parts]).sum(axis=0)
        value = float(metric.value(sums))
        figures[metric.name] = None if math.isnan(value) else value
    return figures
