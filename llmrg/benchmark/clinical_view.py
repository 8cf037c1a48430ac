"""Clinical efficacy of a row under every protocol: as metrics among the others, and as the grid over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from llmrg.benchmark.figures import SeedStatistics
from llmrg.benchmark.result_parts import Clinical
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.clinical_efficacy import grid_from_statistics
from llmrg.metrics.clinical_protocols import grid_cells
from llmrg.metrics.clinical_statistics import CLINICAL_FAMILY, FIGURES, ClinicalScore, cell_figures
from llmrg.metrics.metric import Statistics
from llmrg.metrics.statistics import percentile_bounds

__all__ = ["ClinicalF1", "clinical_grid_of", "clinical_metrics"]


class ClinicalF1(ClinicalScore):
    """The F1 of one row of the grid, by the row's path: ``r2gen/14/macro``.

    Args:
        path: ``protocol/classes/average``.
        vocabulary: the classes.
    """

    def __init__(self, path: str, vocabulary: FindingVocabulary) -> None:
        super().__init__(f"{path}/f1", vocabulary)
        self.name = path


def clinical_metrics(vocabulary: FindingVocabulary) -> list[ClinicalF1]:
    """One metric for every row of the vocabulary's grid."""
    return [ClinicalF1(cell.key, vocabulary) for cell in grid_cells(vocabulary)]


def clinical_grid_of(
    seeds: Sequence[SeedStatistics],
    vocabulary: FindingVocabulary,
    *,
    headline: str | None,
    drawn: Sequence[Mapping[str, Statistics]],
    resamples: int,
    seed: int,
) -> Clinical:
    """Return the grid as ``results.json`` holds it; of several seeds the means.

    Intervals of the grid's rows are those of the mean over seeds; those of single classes are the means of the seeds'
    ends.

    Args:
        seeds: statistics of each seed.
        vocabulary: the classes.
        headline: path of the row that counts.
        drawn: sums over resampled patients of each seed; none for a grid without intervals.
        resamples: how many were drawn.
        seed: of the draws.
    """
    sums = [one[CLINICAL_FAMILY] for one in drawn] or [None] * len(seeds)
    grids = [
        grid_from_statistics(
            one[CLINICAL_FAMILY], vocabulary, headline=headline, resampled=resampled, seed=seed
        ).to_mapping()
        for one, resampled in zip(seeds, sums, strict=True)
    ]
    if len(grids) == 1:
        return cast("Clinical", grids[0])
    whole = _mean(grids)
    if drawn:
        for row, cell in zip(whole["rows"], grid_cells(vocabulary), strict=True):
            means = np.mean([np.stack(cell_figures(one[CLINICAL_FAMILY], cell, vocabulary)) for one in drawn], axis=0)
            bounds = dict(zip(FIGURES, percentile_bounds(means.T), strict=True))
            row["intervals"] = {name: list(bound) for name, bound in bounds.items() if bound is not None}
    return cast("Clinical", whole)


def _mean(values: Sequence[Any]) -> Any:
    """Values of the same shape with means for their numbers; what is undefined for one is undefined."""
    first = values[0]
    if isinstance(first, Mapping):
        shared = [key for key in first if all(key in value for value in values)]
        return {key: _mean([value[key] for value in values]) for key in shared}
    if isinstance(first, list):
        return [_mean(list(items)) for items in zip(*values, strict=True)]
    if any(value is None for value in values):
        return None
    if isinstance(first, (bool, str)) or all(value == first for value in values):
        return first
    return float(np.mean(values))
