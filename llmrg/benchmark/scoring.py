"""Scoring the rows of a benchmark, all in the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from llmrg.benchmark.references import References
from llmrg.benchmark.results import Row, RowKind
from llmrg.findings.mention import Mention
from llmrg.findings.targets import positive_findings
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.metrics.bleu import Bleu
from llmrg.metrics.scores import score_reports
from llmrg.metrics.tokens import default_tokenizer, get_tokenizer

__all__ = ["Scorer", "constant_criterion"]


def constant_criterion(language: str) -> Callable[[str, Sequence[str]], float]:
    """Return BLEU-4 of one report given to every study, as a function of the report and the references."""
    tokenizer = get_tokenizer(default_tokenizer(language))
    tokens = cache(tokenizer)
    metric = Bleu(4)

    def criterion(report: str, references: Sequence[str]) -> float:
        cut = [tokens(reference) for reference in references]
        return float(metric.value(metric.statistics([tokens(report)] * len(cut), cut).sum(axis=0)))

    return criterion


class Scorer:
    """Scores rows against the same references.

    Args:
        references: the scored studies.
        vocabulary: the findings that count.
        read: reads the findings of a report.
        labeler_version: names the reader in signatures.
        language: language of the reports.
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
        language: str,
        resamples: int,
        seed: int,
    ) -> None:
        self._references = references
        self._vocabulary = vocabulary
        self._read = read
        self._labeler_version = labeler_version
        self._language = language
        self._resamples = resamples
        self._seed = seed
        self.signature = ""
        """Settings of the headline figures, once a row is scored."""

    def score(self, name: str, kind: RowKind, reports: Sequence[str]) -> Row:
        """Score one row.

        Args:
            name: the row's name.
            kind: its kind.
            reports: one text per study, in the order of the references.
        """
        ids = self._references.ids
        scores = score_reports(
            dict(zip(ids, reports, strict=True)),
            dict(zip(ids, self._references.texts, strict=True)),
            language=self._language,
            patients=dict(zip(ids, self._references.patients, strict=True)),
            predicted_findings={
                id_: positive_findings(self._read(report), self._vocabulary)
                for id_, report in zip(ids, reports, strict=True)
            },
            true_findings={
                id_: positive_findings(mentions, self._vocabulary)
                for id_, mentions in zip(ids, self._references.expected, strict=True)
            },
            vocabulary=self._vocabulary,
            labeler=self._labeler_version,
            truth="references" if self._references.truths is None else "side-file",
            resamples=self._resamples,
            seed=self._seed,
        )
        self.signature = f"{scores.signatures['clinical_micro_f1']} {scores.signatures['bleu_4']}"
        return Row(
            system=name,
            kind=kind,
            metrics=dict(scores.metrics),
            confidence_intervals={name: (interval.low, interval.high) for name, interval in scores.intervals.items()},
        )
