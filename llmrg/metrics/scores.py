"""One entry that scores generated reports against references and true findings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llmrg.errors import UserError
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.finding_scores import FINDING_FIGURES, FindingScore, per_class_scores
from llmrg.metrics.metric import Metric, Statistics
from llmrg.metrics.pairing import Keyed, pair_up, read_keyed, reference_hash
from llmrg.metrics.reference_protocols import FULL, ReferenceProtocol
from llmrg.metrics.statistics import Interval, bootstrap_sums, percentile_interval
from llmrg.metrics.text_notes import text_notes
from llmrg.metrics.tokens import default_tokenizer, get_tokenizer
from llmrg.metrics.variety import distinct_ratio
from llmrg.metrics.wording import DEFAULT_WORDING, WordingMetric, wording_metrics
from llmrg.version import __version__

__all__ = ["Scores", "score_reports"]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Figures of one system on one set of studies.

    Args:
        n: studies scored.
        language: of the reports.
        metrics: figure by name; ``per_class`` holds a mapping. A figure that nothing defines is None.
        intervals: bootstrap interval by figure name.
        signatures: how each figure was computed, by name.
        protocol: what was resampled, with which seed, and against what findings were scored.
        notes: what is odd about the texts, and why a figure is missing; one sentence each.
        ids: the studies, in the order of the rows of ``statistics``.
        patients: the patient of each study.
        reference_hash: of ids and references as they were scored; only figures with equal ones may be compared.
        statistics: additive statistics ``[N, S]`` by metric family, for paired comparisons of two systems.
        formulas: the metric by figure name, for every figure that sums of the statistics give.
    """

    n: int
    language: str
    metrics: Mapping[str, Any]
    intervals: Mapping[str, Interval]
    signatures: Mapping[str, str]
    protocol: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    ids: tuple[str, ...] = field(repr=False)
    patients: tuple[str, ...] = field(repr=False)
    reference_hash: str
    statistics: Mapping[str, Statistics] = field(repr=False)
    formulas: Mapping[str, Metric[Any]] = field(repr=False, default_factory=dict)

    def per_report(self) -> dict[str, list[float | None]]:
        """Return each figure of every report alone, in the order of ``ids``; None where it is undefined."""
        rows = {
            name: np.asarray(metric.value(self.statistics[metric.family]), dtype=np.float64)
            for name, metric in self.formulas.items()
        }
        return {name: [None if math.isnan(value) else float(value) for value in row] for name, row in rows.items()}

    def to_mapping(self) -> dict[str, Any]:
        """Return all but the statistics as JSON holds it (``results.json``)."""
        return {
            "n": self.n,
            "language": self.language,
            "metrics": dict(self.metrics),
            "intervals": {name: [interval.low, interval.high] for name, interval in self.intervals.items()},
            "signatures": dict(self.signatures),
            "protocol": dict(self.protocol),
            "reference_hash": self.reference_hash,
            "notes": list(self.notes),
        }


def score_reports(
    hypotheses: Keyed,
    references: Keyed,
    *,
    language: str,
    tokenizer: str | None = None,
    protocol: ReferenceProtocol = FULL,
    metrics: Sequence[str] = DEFAULT_WORDING,
    more_metrics: Sequence[WordingMetric] = (),
    patients: Mapping[str, str] | None = None,
    predicted_findings: Keyed | None = None,
    true_findings: Keyed | None = None,
    vocabulary: FindingVocabulary | None = None,
    labeler: str = "unstated",
    truth: str = "references",
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Scores:
    """Score generated reports.

    Args:
        hypotheses: generated report by study id (a mapping, or pairs).
        references: reference report by study id; exactly the same ids.
        language: ``zh`` or ``en``.
        tokenizer: see :func:`llmrg.metrics.tokens.get_tokenizer`; by default the protocol's, else ``char`` for zh and
            ``ptb`` for en.
        protocol: what is done to the texts before wording is scored.
        metrics: of wording, names of :data:`llmrg.metrics.wording.WORDING_METRICS`.
        more_metrics: further metrics of wording.
        patients: patient by study id (may know more studies); without it each study counts as its own patient.
        predicted_findings: positive findings with side by study id, as read from the generated reports.
        true_findings: the true ones by study id; with ``predicted_findings`` and ``vocabulary``, or none of the three.
        vocabulary: the findings that count.
        labeler: version of the labeler that read the generated reports (for the signature).
        truth: where the true findings come from (for the signature): ``references``, ``side-file``, ...
        resamples: bootstrap resamples; 0 leaves intervals out.
        confidence: of the intervals.
        seed: of the resamples.

    Returns:
        Figures ``bleu_1`` to ``bleu_4``, ``rouge_l``, ``cider``, ``mean_length``, ``distinct_ratio`` and, with
        findings, those of :data:`llmrg.metrics.finding_scores.FINDING_FIGURES` and ``per_class``.

    Raises:
        UserError: no studies; ids that are missing, surplus or repeated; a text that is no string; findings without
            vocabulary; an unknown language, tokenizer or finding.
    """
    own, other = read_keyed(hypotheses, name="generated reports"), read_keyed(references, name="references")
    pair_up(own, other, name="generated reports", against="references")
    if not own:
        raise UserError("There are no reports to score")
    ids = tuple(sorted(own))
    for name, given_texts in (("generated reports", own), ("references", other)):
        for id_ in ids:
            if not isinstance(given_texts[id_], str):
                raise UserError(f"The text of study {id_!r} is not a string", where=name)
    if patients is not None:
        pair_up(patients, ids, name="patients", against="references", superset=True)
    clusters = ids if patients is None else tuple(patients[id_] for id_ in ids)

    headline = default_tokenizer(language)
    cutter = get_tokenizer(tokenizer or protocol.tokenizer or headline)
    # A protocol that leaves words between spaces has cut Chinese itself.
    cut_by = "protocol" if cutter.name == protocol.tokenizer else cutter.name
    notes = text_notes([own[id_] for id_ in ids], [other[id_] for id_ in ids], language=language, tokenizer=cut_by)
    texts = [[protocol.report(own[id_]) for id_ in ids], [protocol.reference(other[id_]) for id_ in ids]]
    tokens = [cutter.all(side) for side in texts]
    wording, missing = wording_metrics(metrics, language=language)
    notes += (*protocol.notes([other[id_] for id_ in ids]), *missing.values())
    values: dict[str, Metric[Any]] = {}
    statistics: dict[str, Statistics] = {}
    signatures: dict[str, str] = {}
    for text_metric in (*wording, *more_metrics):
        values[text_metric.name] = text_metric
        if text_metric.family not in statistics:
            statistics[text_metric.family] = text_metric.statistics(*(tokens if text_metric.on_tokens else texts))
        cut = f"tok:{cutter.version}|case:{cutter.case}|" if text_metric.on_tokens else ""
        how = "|".join(part for part in (text_metric.settings, f"{cut}ref:{protocol.signature}") if part)
        signatures[text_metric.name] = _signature(text_metric.name, how, len(ids))
    signatures["distinct_ratio"] = _signature("distinct_ratio", "texts:white-space-collapsed", len(ids))

    extra: dict[str, Any] = dict.fromkeys(missing) | {"distinct_ratio": distinct_ratio([own[id_] for id_ in ids])}
    given = [part is not None for part in (predicted_findings, true_findings, vocabulary)]
    if any(given) and not all(given):
        raise UserError("Findings are scored with predicted_findings, true_findings and a vocabulary, or not at all")
    if predicted_findings is not None and true_findings is not None and vocabulary is not None:
        found = _rows(predicted_findings, ids, name="predicted findings")
        real = _rows(true_findings, ids, name="true findings")
        scores = [FindingScore(figure, vocabulary) for figure in FINDING_FIGURES]
        values |= {score.name: score for score in scores}
        statistics["findings"] = scores[0].statistics(found, real)
        extra["per_class"] = per_class_scores(statistics["findings"].sum(axis=0), vocabulary)
        how = f"vocabulary:{vocabulary.name}|labeler:{labeler}|truth:{truth}"
        signatures |= {score.name: _signature(score.name, how, len(ids)) for score in scores}

    figures: dict[str, Any] = {}
    for name, metric in values.items():
        figure = float(metric.value(statistics[metric.family].sum(axis=0)))
        figures[name] = None if math.isnan(figure) else figure
    intervals = _intervals(values, statistics, clusters, resamples, confidence, seed) if resamples else {}
    settings = {
        "resampled": "studies" if patients is None else "patients",
        "clusters": len(set(clusters)),
        "resamples": resamples,
        "confidence": confidence,
        "seed": seed,
        "tokenizer": cutter.version,
        "labeler": labeler,
        "truth": truth,
        "reference": protocol.signature,
    }
    return Scores(
        n=len(ids),
        language=language,
        metrics=figures | extra,
        intervals=intervals,
        signatures=signatures,
        protocol=settings,
        notes=tuple(notes),
        ids=ids,
        patients=clusters,
        reference_hash=reference_hash(ids, texts[1]),
        statistics=statistics,
        formulas=values,
    )


def _intervals(
    metrics: Mapping[str, Metric[Any]],
    statistics: Mapping[str, Statistics],
    patients: Sequence[str],
    resamples: int,
    confidence: float,
    seed: int,
) -> dict[str, Interval]:
    # All families side by side: the patients are drawn once.
    families = list(statistics)
    sums = bootstrap_sums(
        np.hstack([statistics[family] for family in families]), patients=patients, resamples=resamples, seed=seed
    )
    ends = np.cumsum([statistics[family].shape[1] for family in families])
    columns = dict(zip(families, np.split(sums, ends[:-1], axis=1), strict=True))
    found = {
        name: percentile_interval(metric.value(columns[metric.family]), confidence=confidence, seed=seed)
        for name, metric in metrics.items()
    }
    return {name: interval for name, interval in found.items() if interval is not None}


def _rows(findings: Keyed, ids: Sequence[str], *, name: str) -> list[Any]:
    by_id = read_keyed(findings, name=name)
    pair_up(by_id, ids, name=name, against="references")
    return [by_id[id_] for id_ in ids]


def _signature(name: str, how: str, n: int) -> str:
    return f"{name}|{how}|n:{n}|llmrg:{__version__}"
