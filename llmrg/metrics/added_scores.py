"""Scores of a system with further metrics beside those of wording: clinical rows, invented priors, graphs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from llmrg.errors import UserError
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.clinical_protocols import default_headline
from llmrg.metrics.metric import Metric, Statistics
from llmrg.metrics.scores import Scores
from llmrg.metrics.statistics import Interval, bootstrap_sums, percentile_interval
from llmrg.version import __version__

__all__ = ["add_metrics", "headline_figures"]

_CHEXPERT_HEADLINES = ("r2gen/14/macro", "rrg/14/micro")


def headline_figures(vocabulary: FindingVocabulary) -> tuple[str, ...]:
    """Return the clinical figures that systems are compared in by default: F1 of the headline rows.

    For chexpert14 those are ``r2gen/14/macro`` (the CheXpert Plus tables) and ``rrg/14/micro`` (f1chexbert and what
    builds on it); for other vocabularies the micro average over all entries.
    """
    keys = _CHEXPERT_HEADLINES if vocabulary.name == "chexpert14" else (default_headline(vocabulary),)
    return tuple(f"{key}/f1" for key in keys)


def add_metrics(scores: Scores, metrics: Sequence[Metric[Any]], statistics: Statistics, *, how: str) -> Scores:
    """Return scores with further figures, their intervals and signatures, so that systems can be compared in them.

    Args:
        scores: figures of a system; they tell how many resamples are drawn and with which seed.
        metrics: further metrics of one family.
        statistics: their statistics ``[N, S]`` in the order of ``scores.ids``.
        how: what the figures rest on, for their signatures (vocabulary, labeler, ...).

    Raises:
        UserError: not one row a study, or metrics of several families.
    """
    if len(statistics) != scores.n:
        raise UserError(f"{len(statistics)} rows of statistics came with {scores.n} scored studies")
    families = {metric.family for metric in metrics}
    if len(families) != 1:
        raise UserError("Metrics are added one family at a time", got=", ".join(sorted(families)))
    resamples, seed = int(scores.protocol["resamples"]), int(scores.protocol["seed"])
    confidence = float(scores.protocol["confidence"])
    whole = statistics.sum(axis=0)
    drawn = bootstrap_sums(statistics, patients=scores.patients, resamples=resamples, seed=seed) if resamples else None
    figures: dict[str, float | None] = {}
    intervals: dict[str, Interval] = {}
    for metric in metrics:
        value = float(metric.value(whole))
        figures[metric.name] = None if math.isnan(value) else value
        if drawn is not None:
            interval = percentile_interval(metric.value(drawn), confidence=confidence, seed=seed)
            if interval is not None:
                intervals[metric.name] = interval
    signatures = {metric.name: f"{metric.name}|{how}|n:{scores.n}|llmrg:{__version__}" for metric in metrics}
    return replace(
        scores,
        metrics={**scores.metrics, **figures},
        intervals={**scores.intervals, **intervals},
        signatures={**scores.signatures, **signatures},
        statistics={**scores.statistics, families.pop(): statistics},
        formulas={**scores.formulas, **{metric.name: metric for metric in metrics}},
    )
