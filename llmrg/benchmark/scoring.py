"""Scoring the rows of a benchmark, all in the same way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from llmrg.benchmark.clinical_view import clinical_grid_of, clinical_metrics
from llmrg.benchmark.copies import copied_share
from llmrg.benchmark.lengths import length_edges, length_histogram, report_lengths
from llmrg.benchmark.references import References
from llmrg.benchmark.result_parts import Lengths, ProtocolFigures, SeedFigure, Seeds
from llmrg.benchmark.results import Row
from llmrg.benchmark.rows import ReportRow
from llmrg.findings.graphs.extractor import extract_graphs
from llmrg.findings.graphs.graph import GraphExtractor
from llmrg.findings.mention import Mention
from llmrg.findings.priors import PRIORS_VERSION
from llmrg.findings.targets import positive_findings
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.clinical_statistics import CLINICAL_FAMILY, clinical_statistics
from llmrg.metrics.comparison import SystemFigure, system_figures
from llmrg.metrics.finding_scores import FINDING_FIGURES, FindingScore, per_class_scores
from llmrg.metrics.graph_scores import GRAPH_FIGURES, GraphScore, graph_statistics
from llmrg.metrics.invented_priors import PRIOR_FIGURES, PriorScore, known_prior, prior_statistics
from llmrg.metrics.label_states import label_states
from llmrg.metrics.metric import Metric, Statistics
from llmrg.metrics.reference_protocols import FULL, ReferenceProtocol
from llmrg.metrics.scores import Scores, score_reports
from llmrg.metrics.seeds import SeedSpread, seed_spread
from llmrg.metrics.tokens import default_tokenizer, get_tokenizer
from llmrg.metrics.wording import wording_metrics
from llmrg.studies.study import Language
from llmrg.version import __version__

__all__ = ["ScoredRow", "Scorer"]

_GRAPHS_AT_ONCE = 512


@dataclass(frozen=True, kw_only=True)
class ScoredRow:
    """A row with what paired tests need.

    Args:
        row: its figures.
        runs: scores of each seed.
    """

    row: Row
    runs: tuple[Scores, ...]


class Scorer:
    """Scores rows against the same references.

    Args:
        references: the scored studies.
        vocabulary: the findings that count.
        read: reads the findings of a report.
        labeler_version: names the reader in signatures.
        extractor: reads the graphs of reports and references.
        language: language of the reports.
        copied: normal forms of the training reports.
        wording: names of the metrics of wording.
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
        extractor: GraphExtractor,
        language: Language,
        copied: Collection[str],
        wording: Sequence[str],
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
        self._wording_names = tuple(wording)
        self.headline = tuple(name.removesuffix("/f1") if "/" in name else name for name in headline)
        """The metrics that count."""
        self._protocols = protocols
        self._resamples = resamples
        self._seed = seed
        self._known_priors = [known_prior(study) for study in references.studies]
        self._labelled = label_states(references.labelled, vocabulary, name="references")
        self._extractor = extractor
        self._graphs = extract_graphs(extractor, references.texts)
        self._lengths = report_lengths(get_tokenizer(default_tokenizer(language)).all(references.texts))
        self._edges = length_edges(self._lengths)
        self.metrics: dict[str, Metric[Any]] = {metric.name: metric for metric in self._all_metrics()}
        """Every metric with an interval, by name."""
        self.signature = ""
        """Settings of the headline figures, once a row is scored."""

    @property
    def reference_lengths(self) -> Lengths:
        """Histogram of the references' lengths, in the bins of every row's."""
        return length_histogram(self._lengths, self._edges, language=self._language)

    def score(self, row: ReportRow) -> ScoredRow:
        """Score one row, over all its seeds."""
        runs = [self._with_findings(reports, self._wording(reports, FULL)) for reports in row.by_seed]
        self.signature = " ".join(runs[0].signatures[name] for name in ("clinical_micro_f1", "bleu_4", "graph_f1"))
        figures = self._figures(runs)
        plain = [self._plain_figures(reports, run) for reports, run in zip(row.by_seed, runs, strict=True)]
        metrics: dict[str, Any] = {name: figure.value for name, figure in figures.items()}
        metrics |= dict.fromkeys(self._missing)
        metrics |= {name: float(np.mean([one[name] for one in plain])) for name in plain[0]}
        metrics["per_class"] = _mean_classes(
            [per_class_scores(run.statistics["findings"].sum(axis=0), self._vocabulary) for run in runs]
        )
        spreads = {name: figure.seeds for name, figure in figures.items()}
        spreads |= {name: seed_spread([one[name] for one in plain]) for name in plain[0]}
        return ScoredRow(
            row=Row(
                system=row.system,
                kind=row.kind,
                metrics=metrics,
                confidence_intervals=_intervals(figures),
                clinical=clinical_grid_of(
                    runs,
                    self._vocabulary,
                    headline=next((name for name in self.headline if "/" in name), None),
                    resamples=self._resamples,
                    seed=self._seed,
                ),
                lengths=length_histogram(
                    np.concatenate([run.statistics["mean_length"][:, 0].astype(np.int64) for run in runs]),
                    self._edges,
                    language=self._language,
                ),
                seeds=_seeds(row.seeds, spreads) if row.seeds else None,
                protocols={name: self._further(row.by_seed, protocol) for name, protocol in self._protocols.items()},
                notes=tuple(dict.fromkeys(note for run in runs for note in run.notes)),
            ),
            runs=tuple(runs),
        )

    def _figures(self, runs: Sequence[Scores]) -> dict[str, SystemFigure]:
        return system_figures(runs, list(runs[0].formulas), resamples=self._resamples, seed=self._seed)

    def _all_metrics(self) -> list[Metric[Any]]:
        wording, self._missing = wording_metrics(self._wording_names, language=self._language)
        findings = [FindingScore(figure, self._vocabulary) for figure in FINDING_FIGURES]
        priors = [PriorScore(figure, self._language) for figure in PRIOR_FIGURES]
        graphs = [GraphScore(figure, self._language) for figure in GRAPH_FIGURES]
        return [*wording, *findings, *graphs, *priors, *clinical_metrics(self._vocabulary)]

    def _wording(self, reports: Sequence[str], protocol: ReferenceProtocol) -> Scores:
        """Score wording under a protocol, and with the full references the findings too."""
        ids = self._references.ids
        whole = protocol is FULL
        said = {
            id_: positive_findings(self._read(report), self._vocabulary)
            for id_, report in zip(ids, reports if whole else (), strict=whole)
        }
        true = {
            id_: positive_findings(mentions, self._vocabulary)
            for id_, mentions in zip(ids, self._references.expected, strict=True)
        }
        return score_reports(
            dict(zip(ids, reports, strict=True)),
            dict(zip(ids, self._references.texts, strict=True)),
            language=self._language,
            protocol=protocol,
            metrics=self._wording_names,
            patients=dict(zip(ids, self._references.patients, strict=True)),
            predicted_findings=said if whole else None,
            true_findings=true if whole else None,
            vocabulary=self._vocabulary if whole else None,
            labeler=self._labeler_version,
            truth="references" if self._references.truths is None else "side-file",
            resamples=0,
        )

    def _with_findings(self, reports: Sequence[str], scores: Scores) -> Scores:
        """Add clinical grid, graphs and priors to the scores, in their order of studies."""
        place = {id_: number for number, id_ in enumerate(self._references.ids)}
        order = [place[id_] for id_ in scores.ids]
        said = label_states([self._read(reports[number]) for number in order], self._vocabulary, name="reports")
        priors = prior_statistics(
            [reports[number] for number in order],
            [self._references.texts[number] for number in order],
            language=self._language,
            known=[self._known_priors[number] for number in order],
        )
        grid = clinical_statistics(said, self._labelled[order], self._vocabulary)
        readers = {
            CLINICAL_FAMILY: f"vocabulary:{self._vocabulary.name}|labeler:{self._labeler_version}",
            GraphScore.family: f"extractor:{self._extractor.version}",
            PriorScore.family: PRIORS_VERSION,
        }
        more = {name: metric for name, metric in self.metrics.items() if metric.family in readers}
        signatures = {
            name: f"{name}|{readers[metric.family]}|truth:references|n:{scores.n}|llmrg:{__version__}"
            for name, metric in more.items()
        }
        found = {CLINICAL_FAMILY: grid, GraphScore.family: self._graph_statistics(reports, order)}
        return replace(
            scores,
            statistics={**scores.statistics, **found, PriorScore.family: priors},
            formulas={**scores.formulas, **more},
            signatures={**scores.signatures, **signatures},
        )

    def _graph_statistics(self, reports: Sequence[str], order: Sequence[int]) -> Statistics:
        """Statistics of the graphs; only some hundred graphs of generated reports are held at once."""
        parts = []
        for start in range(0, len(order), _GRAPHS_AT_ONCE):
            some = order[start : start + _GRAPHS_AT_ONCE]
            own = extract_graphs(self._extractor, [reports[number] for number in some])
            parts.append(graph_statistics(own, [self._graphs[number] for number in some], self._language))
        return np.concatenate(parts)

    def _plain_figures(self, reports: Sequence[str], scores: Scores) -> dict[str, float]:
        """Figures that are no sums over studies, or need no interval."""
        return {
            "distinct_ratio": float(scores.metrics["distinct_ratio"]),
            "copied_ratio": copied_share(reports, self._copied),
            "empty_ratio": sum(not report.strip() for report in reports) / len(reports),
        }

    def _further(self, by_seed: Sequence[Sequence[str]], protocol: ReferenceProtocol) -> ProtocolFigures:
        runs = [self._wording(reports, protocol) for reports in by_seed]
        figures = self._figures(runs)
        return {
            "metrics": {name: figure.value for name, figure in figures.items()},
            "confidence_intervals": _intervals(figures),
            "signature": runs[0].signatures["bleu_4"],
        }


def _intervals(figures: Mapping[str, SystemFigure]) -> dict[str, tuple[float, float]]:
    return {
        name: (figure.interval.low, figure.interval.high)
        for name, figure in figures.items()
        if figure.interval is not None
    }


def _mean_classes(seeds: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Means over seeds; support is the same for all, and stays a whole number."""
    first, *others = seeds
    return {
        name: {
            key: figures[key] if key == "support" or not others else float(np.mean([one[name][key] for one in seeds]))
            for key in figures
        }
        for name, figures in first.items()
    }


def _seeds(names: Sequence[str], spreads: Mapping[str, SeedSpread | None]) -> Seeds:
    figures = {name: spread.to_mapping() for name, spread in spreads.items() if spread is not None}
    return {"names": list(names), "figures": cast("dict[str, SeedFigure]", figures)}
