"""Clinical efficacy of a row under every protocol: as metrics among the others, and as the grid over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from llmrg.benchmark.result_parts import Clinical
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.clinical_efficacy import grid_from_statistics
from llmrg.metrics.clinical_protocols import grid_cells
from llmrg.metrics.clinical_statistics import CLINICAL_FAMILY, ClinicalScore
from llmrg.metrics.scores import Scores

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
    runs: Sequence[Scores], vocabulary: FindingVocabulary, *, headline: str | None, resamples: int, seed: int
) -> Clinical:
    """Return the grid as ``results.json`` holds it; of several seeds the means, also of the ends of their intervals.

    Args:
        runs: scores of each seed, with the statistics of the grid.
        vocabulary: the classes.
        headline: path of the row that counts.
        resamples: bootstrap resamples of patients.
        seed: of the resamples.
    """
    grids = [
        grid_from_statistics(
            run.statistics[CLINICAL_FAMILY],
            vocabulary,
            headline=headline,
            patients=run.patients,
            resamples=resamples,
            seed=seed,
        ).to_mapping()
        for run in runs
    ]
    return cast("Clinical", grids[0] if len(grids) == 1 else _mean(grids))


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
