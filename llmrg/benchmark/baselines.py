"""What a system must beat: one report for everybody, a random report, and the report of the nearest training study.

All of them copy reports of the training split, and never one of a patient whose studies are scored.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmrg.benchmark.predictions import Prediction
from llmrg.benchmark.thumbnails import frontal_thumbnails
from llmrg.errors import UserError
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Study

__all__ = ["TrainingPool", "draw_candidates", "nearest_by_encoder", "nearest_by_thumbnail", "random_reports"]

_log = logging.getLogger(__name__)
_CHUNK = 1024
_RETRIEVING = ("retrieved_context", "context_residuals")
"""Kinds of evidence whose records name training studies; where they were searched, with their similarity."""


@dataclass(frozen=True)
class TrainingPool:
    """Reports of the training split that baselines may copy.

    Args:
        positions: position of each study in the training split.
        ids: study ids.
        reports: their reports, never empty.
        left_out: training studies of scored patients, which are not in the pool.
    """

    positions: tuple[int, ...]
    ids: tuple[str, ...]
    reports: tuple[str, ...]
    left_out: int = 0

    @classmethod
    def build(cls, training: Sequence[Study], scored: Sequence[Study], *, target: tuple[str, ...]) -> TrainingPool:
        """Collect the training studies that have a report, without the patients whose studies are scored.

        Raises:
            UserError: nothing is left.
        """
        patients = {study.patient_id for study in scored}
        kept: list[tuple[int, str, str]] = []
        shared = 0
        for position, study in enumerate(training):
            if study.patient_id in patients:
                shared += 1
                continue
            report = study.report(target)
            if report.strip():
                kept.append((position, study.id, report))
        if shared:
            _log.warning("%d training studies belong to scored patients; baselines leave them out", shared)
        if not kept:
            raise UserError(
                "No training report is left for the baseline rows",
                where=f"target sections {', '.join(target)}",
                next_step="check the splits and the target sections with `llmrg data check`",
            )
        positions, ids, reports = zip(*kept, strict=True)
        return cls(tuple(positions), tuple(ids), tuple(reports), shared)


def random_reports(pool: TrainingPool, count: int, *, seed: int) -> list[str]:
    """Return one training report drawn at random for each of ``count`` studies."""
    picks = np.random.default_rng([seed, 2]).integers(len(pool.reports), size=count)
    return [pool.reports[int(i)] for i in picks]


def draw_candidates(pool: TrainingPool, *, limit: int, seed: int) -> NDArray[np.int64]:
    """Return places in the pool, rising: all of them, or ``limit`` at random, the same for every row that searches."""
    everything: NDArray[np.int64] = np.arange(len(pool.ids))
    if len(everything) <= limit:
        return everything
    return np.sort(np.random.default_rng([seed, 3]).choice(everything, size=limit, replace=False))


def nearest_by_thumbnail(
    pool: TrainingPool,
    training: Sequence[Study],
    scored: Sequence[Study],
    *,
    limit: int,
    seed: int,
    training_data: DataConfig | None = None,
    scored_data: DataConfig | None = None,
    cache: Path | None = None,
) -> tuple[list[str], list[str]]:
    """Return, for each scored study, id and report of the training study whose film looks most like it.

    Films are compared by the cosine of standardised 32-px frontal thumbnails. A scored study whose film cannot be
    read gets a random training report.

    Args:
        pool: training reports.
        training: the training split that the pool was built from.
        scored: the studies to answer.
        limit: training studies compared with, at most (a random subsample of the pool).
        seed: seed of the subsample.
        training_data: the training studies' dataset; prepared films are read where it has them.
        scored_data: likewise of the scored studies.
        cache: folder that keeps the thumbnails.

    Returns:
        Study ids and reports, in the order of ``scored``.
    """
    chosen = draw_candidates(pool, limit=limit, seed=seed)
    rng = np.random.default_rng([seed, 3])
    keys = frontal_thumbnails(
        [training[pool.positions[int(i)]] for i in chosen],
        data=training_data,
        cache=None if cache is None else cache / "training.npz",
    )
    queries = frontal_thumbnails(scored, data=scored_data, cache=None if cache is None else cache / "scored.npz")
    picks: list[int] = []
    for start in range(0, len(queries), _CHUNK):
        chunk = queries[start : start + _CHUNK]
        best = np.argmax(chunk @ keys.T, axis=1)
        blind = ~np.any(chunk, axis=1)
        best[blind] = rng.integers(len(chosen), size=int(blind.sum()))
        picks.extend(int(chosen[int(i)]) for i in best)
    return [pool.ids[i] for i in picks], [pool.reports[i] for i in picks]


def nearest_by_encoder(pool: TrainingPool, predictions: Sequence[Prediction]) -> list[str] | None:
    """Return the report of the most similar study among those that each prediction's own encoder retrieved.

    Args:
        pool: training reports.
        predictions: predictions with records of ``retrieved_context`` or ``context_residuals`` that tell similarities.

    Returns:
        One report a prediction, or None if some prediction retrieved no study of the pool.
    """
    by_id = dict(zip(pool.ids, pool.reports, strict=True))
    reports: list[str] = []
    for prediction in predictions:
        hits = [
            (similarity, by_id[str(item.get("study_id"))])
            for kind in _RETRIEVING
            for item in prediction.records(kind)
            if str(item.get("study_id")) in by_id and isinstance(similarity := item.get("similarity"), (int, float))
        ]
        if not hits:
            return None
        reports.append(max(hits, key=lambda hit: hit[0])[1])
    return reports
