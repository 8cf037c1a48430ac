"""Scoring the rows of a benchmark, all in the same way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmrg.benchmark.clinical_view import clinical_grid_of, clinical_metrics
from llmrg.benchmark.copies import copied_share
from llmrg.benchmark.figures import SeedStatistics, resampled_sums, row_figures
from llmrg.benchmark.lengths import length_edges, length_histogram, report_lengths
from llmrg.benchmark.references import References
from llmrg.benchmark.result_parts import Lengths, ProtocolFigures, Seeds, SeedSpread
from llmrg.benchmark.results import Row
from llmrg.benchmark.rows import ReportRow
from llmrg.findings.mention import Mention
from llmrg.findings.targets import positive_findings
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.clinical_statistics import CLINICAL_FAMILY, clinical_statistics
from llmrg.metrics.finding_scores import FINDING_FIGURES, FindingScore, per_class_scores
from llmrg.metrics.invented_priors import PRIOR_FIGURES, PriorScore, known_prior, prior_statistics
from llmrg.metrics.label_states import label_states
from llmrg.metrics.metric import Metric
from llmrg.metrics.reference_protocols import FULL, ReferenceProtocol
from llmrg.metrics.scores import Scores, score_reports
from llmrg.metrics.tokens import default_tokenizer, get_tokenizer
from llmrg.metrics.wording import DEFAULT_WORDING, wording_metrics
from llmrg.studies.study import Language

__all__ = ["ScoredRow", "Scorer"]


@dataclass(frozen=True, kw_only=True)
class ScoredRow:
    """A row with what paired tests need.

    Args:
        row: its figures.
        statistics: additive statistics of each seed.
        patients: the patient of each study, in the order of the statistics.
        reference_hash: of ids and references; rows with another one do not compare.
    """

    row: Row
    statistics: tuple[SeedStatistics, ...]
    patients: tuple[str, ...]
    reference_hash: str


class Scorer:
    """Scores rows against the same references.

    Args:
        references: the scored studies.
        vocabulary: the findings that count.
        read: reads the findings of a report.
        labeler_version: names the reader in signatures.
        language: language of the reports.
        copied: normal forms of the training reports.
        headline: the metrics that count.
        protocols: further reference protocols by name.
        resamples: bootstrap resamples of patients; 0 leaves intervals out.
        seed: seed of the bootstrap.
    """

    def __init__(
        self,
        references: References,
        *,
        vocabulary: FindingVocabulary,
        read: Callable[[str], Mapping[str, Mention]],
        labeler_version: str,
        language: Language,
        copied: Collection[str],
        headline: Sequence[str],
        protocols: Mapping[str, ReferenceProtocol],
        resamples: int,
        seed: int,
    ) -> None:
        self._references = references
        self._vocabulary = vocabulary
        self._read = read
        self._labeler_version = labeler_version
        self._language = language
        self._copied = copied
        self.headline = tuple(headline)
        """The metrics that count."""
        self._protocols = protocols
        self._resamples = resamples
        self._seed = seed
        self._tokens = get_tokenizer(default_tokenizer(language))
        self._known_priors = [known_prior(study) for study in references.studies]
        self._labelled = label_states(references.labelled, vocabulary, name="references")
        self._edges = length_edges(report_lengths(self._cut(references.texts)))
        self.metrics: dict[str, Metric[Any]] = {metric.name: metric for metric in self._all_metrics()}
        """Every metric with an interval, by name."""
        self.signature = ""
        """Settings of the headline figures, once a row is scored."""

    @property
    def reference_lengths(self) -> Lengths:
        """Histogram of the references' lengths, in the bins of every row's."""
        return length_histogram(report_lengths(self._cut(self._references.texts)), self._edges, language=self._language)

    def score(self, row: ReportRow) -> ScoredRow:
        """Score one row, over all its seeds."""
        scores = [self._wording(reports, FULL) for reports in row.by_seed]
        self.signature = f"{scores[0].signatures['clinical_micro_f1']} {scores[0].signatures['bleu_4']}"
        seeds = [self._statistics(reports, one) for reports, one in zip(row.by_seed, scores, strict=True)]
        drawn = [
            resampled_sums(one, patients=scores[0].patients, resamples=self._resamples, seed=self._seed)
            for one in (seeds if self._resamples else ())
        ]
        figures = row_figures(seeds, self.metrics.values(), drawn=drawn)
        plain = [self._plain_figures(reports, one) for reports, one in zip(row.by_seed, scores, strict=True)]
        metrics: dict[str, Any] = {**figures.values, **{name: _mean([one[name] for one in plain]) for name in plain[0]}}
        metrics["per_class"] = _mean_classes(
            [per_class_scores(one["findings"].sum(axis=0), self._vocabulary) for one in seeds]
        )
        by_seed = {**figures.by_seed, **{name: tuple(one[name] for one in plain) for name in plain[0]}}
        lengths = [report_lengths(self._cut(reports)) for reports in row.by_seed]
        return ScoredRow(
            row=Row(
                system=row.system,
                kind=row.kind,
                metrics=metrics,
                confidence_intervals=dict(figures.intervals),
                clinical=clinical_grid_of(
                    seeds,
                    self._vocabulary,
                    headline=next((name for name in self.headline if "/" in name), None),
                    drawn=drawn,
                    resamples=self._resamples,
                    seed=self._seed,
                ),
                lengths=length_histogram(np.concatenate(lengths), self._edges, language=self._language),
                seeds=_spread(row.seeds, by_seed) if row.seeds else None,
                protocols={name: self._further(row.by_seed, protocol) for name, protocol in self._protocols.items()},
                notes=tuple(dict.fromkeys(note for one in scores for note in one.notes)),
            ),
            statistics=tuple(seeds),
            patients=scores[0].patients,
            reference_hash=scores[0].reference_hash,
        )

    def _all_metrics(self) -> list[Metric[Any]]:
        wording, _ = wording_metrics(DEFAULT_WORDING, language=self._language)
        findings = [FindingScore(figure, self._vocabulary) for figure in FINDING_FIGURES]
        priors = [PriorScore(figure, self._language) for figure in PRIOR_FIGURES]
        return [*wording, *findings, *priors, *clinical_metrics(self._vocabulary)]

    def _wording(self, reports: Sequence[str], protocol: ReferenceProtocol) -> Scores:
        ids = self._references.ids
        full = protocol is FULL
        findings = {
            "predicted_findings": {
                id_: positive_findings(self._read(report), self._vocabulary)
                for id_, report in zip(ids, reports, strict=True)
            },
            "true_findings": {
                id_: positive_findings(mentions, self._vocabulary)
                for id_, mentions in zip(ids, self._references.expected, strict=True)
            },
            "vocabulary": self._vocabulary,
            "labeler": self._labeler_version,
            "truth": "references" if self._references.truths is None else "side-file",
        }
        return score_reports(
            dict(zip(ids, reports, strict=True)),
            dict(zip(ids, self._references.texts, strict=True)),
            language=self._language,
            protocol=protocol,
            patients=dict(zip(ids, self._references.patients, strict=True)),
            resamples=0,
            **(findings if full else {}),
        )

    def _statistics(self, reports: Sequence[str], scores: Scores) -> SeedStatistics:
        """The statistics of the scores with those of clinical grid and priors, in the scores' order of studies."""
        place = {id_: number for number, id_ in enumerate(self._references.ids)}
        order = [place[id_] for id_ in scores.ids]
        said = label_states([self._read(reports[number]) for number in order], self._vocabulary, name="reports")
        grid = clinical_statistics(said, self._labelled[order], self._vocabulary)
        priors = prior_statistics(
            [reports[number] for number in order],
            [self._references.texts[number] for number in order],
            language=self._language,
            known=[self._known_priors[number] for number in order],
        )
        return {**scores.statistics, CLINICAL_FAMILY: grid, "priors": priors}

    def _plain_figures(self, reports: Sequence[str], scores: Scores) -> dict[str, float]:
        """Figures that are no sums over studies, or need no interval."""
        return {
            "distinct_ratio": float(scores.metrics["distinct_ratio"]),
            "copied_ratio": copied_share(reports, self._copied),
            "empty_ratio": sum(not report.strip() for report in reports) / len(reports),
        }

    def _further(self, by_seed: Sequence[Sequence[str]], protocol: ReferenceProtocol) -> ProtocolFigures:
        scores = [self._wording(reports, protocol) for reports in by_seed]
        wording, _ = wording_metrics(DEFAULT_WORDING, language=self._language)
        drawn = [
            resampled_sums(one.statistics, patients=one.patients, resamples=self._resamples, seed=self._seed)
            for one in (scores if self._resamples else ())
        ]
        figures = row_figures([one.statistics for one in scores], wording, drawn=drawn)
        return {
            "metrics": dict(figures.values),
            "confidence_intervals": dict(figures.intervals),
            "signature": scores[0].signatures["bleu_4"],
        }

    def _cut(self, texts: Sequence[str]) -> list[str]:
        return self._tokens.all(texts)


def _mean(numbers: Sequence[float]) -> float:
    return float(np.mean(numbers))


def _mean_classes(seeds: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    first, *others = seeds
    if not others:
        return {name: dict(figures) for name, figures in first.items()}
    return {
        name: {key: figures[key] if key == "support" else _mean([one[name][key] for one in seeds]) for key in figures}
        for name, figures in first.items()
    }


def _spread(names: Sequence[str], by_seed: Mapping[str, Sequence[float | None]]) -> Seeds:
    figures: dict[str, SeedSpread] = {
        metric: {"mean": _mean(known), "sd": float(np.std(known, ddof=1)), "values": known}
        for metric, values in by_seed.items()
        if len(known := [value for value in values if value is not None]) == len(values)
    }
    return {"names": list(names), "figures": figures}
