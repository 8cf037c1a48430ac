"""What ``llmrg score`` does: two files of reports in, figures with intervals and signatures out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from llmrg.artefacts import write_text
from llmrg.errors import UserError
from llmrg.findings.graphs.extractor import extract_graphs, get_extractor
from llmrg.findings.graphs.graph import GraphExtractor
from llmrg.findings.labeler import Labeler, get_labeler
from llmrg.findings.priors import PRIORS_VERSION, prior_in_comparison
from llmrg.findings.targets import positive_findings
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.metrics.added_scores import add_metrics
from llmrg.metrics.clinical_efficacy import ClinicalGrid, clinical_grid
from llmrg.metrics.graph_scores import GRAPH_FIGURES, GraphScore, graph_statistics
from llmrg.metrics.invented_priors import PRIOR_FIGURES, PriorScore, prior_statistics
from llmrg.metrics.labelling import label_reports
from llmrg.metrics.pairing import pair_up
from llmrg.metrics.reading import PREDICTION_FIELDS, REFERENCE_FIELDS, read_reports
from llmrg.metrics.reference_protocols import get_protocol
from llmrg.metrics.scores import Scores, score_reports
from llmrg.metrics.wording import WordingMetric

__all__ = ["DEFAULT_METRICS", "ScoreSettings", "ScoredFiles", "score_files", "write_per_report"]

DEFAULT_METRICS = ("bleu", "rouge_l", "cider", "chrf")
_DEFAULT_VOCABULARY = {"zh": "ped_xray", "en": "chexpert14"}
_NO_VOCABULARY = "none"


@dataclass(frozen=True, kw_only=True)
class ScoreSettings:
    """How two files are scored.

    Args:
        predictions: generated reports.
        references: references; they may tell the patients.
        language: ``zh`` or ``en``.
        tokens: tokenizer; by default the protocol's, else the language's headline one.
        protocol: reference protocol.
        cleaning: of the protocol, where it is not to be the protocol's own.
        threshold: of the protocol's vocabulary.
        training: reports of the training split, for the protocol's vocabulary; of a file of splits, its ``train``.
        metrics: names of :data:`llmrg.metrics.wording.WORDING_METRICS`.
        vocabulary: findings that are scored; ``none`` leaves them out; by default ``ped_xray`` for zh and
            ``chexpert14`` for en.
        headline: row of the clinical grid that counts.
        graph: whether entities, relations and (anatomy, lesion) pairs of report graphs are scored too.
        priors: whether mentions of an earlier examination are counted, of which there is none.
        prediction_field: name of the text in the predictions; by default one of the usual ones.
        reference_field: likewise in the references.
        split: which one is scored where the references are a file of splits.
        resamples: bootstrap resamples over patients; 0 leaves intervals out.
        seed: of the resamples.
    """

    predictions: Path
    references: Path
    language: str
    tokens: str | None = None
    protocol: str = "full"
    cleaning: str | None = None
    threshold: int | None = None
    training: Path | None = None
    metrics: Sequence[str] = DEFAULT_METRICS
    vocabulary: str | None = None
    headline: str | None = None
    graph: bool = False
    priors: bool = False
    prediction_field: str | None = None
    reference_field: str | None = None
    split: str = "test"
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ScoredFiles:
    """What came out.

    Args:
        scores: of wording and findings.
        clinical: findings under every protocol, where a vocabulary was given.
    """

    scores: Scores
    clinical: ClinicalGrid | None

    @property
    def signature(self) -> str:
        """The signature of the wording's headline figure."""
        return self.scores.signatures.get("bleu_4", next(iter(self.scores.signatures.values())))

    def to_mapping(self) -> dict[str, Any]:
        """Return all figures as JSON holds them."""
        whole = self.scores.to_mapping()
        figures = dict(whole["metrics"])
        per_class = figures.pop("per_class", None)
        found = {
            "metrics": figures,
            "signature": self.signature,
            **{key: whole[key] for key in whole if key != "metrics"},
        }
        if per_class is not None:
            found["per_class"] = per_class
        if self.clinical is not None:
            found["clinical"] = self.clinical.to_mapping()
        return found


def score_files(
    settings: ScoreSettings,
    *,
    more_metrics: Sequence[WordingMetric] = (),
    labeler: Labeler | None = None,
    extractor: GraphExtractor | None = None,
) -> ScoredFiles:
    """Score the reports of one file against those of another.

    Both sides are labelled by the same labeler, from the texts as they are, whatever the protocol does to them.

    Args:
        settings: files and how.
        more_metrics: further metrics of wording (those that need a model).
        labeler: reads the findings in place of the rules; it must fit the vocabulary.
        extractor: reads the graphs of both sides in place of the rules; signatures and protocol name it.

    Raises:
        UserError: files, ids or settings that do not fit.
    """
    if settings.resamples < 0:
        raise UserError("The number of resamples cannot be negative", got=str(settings.resamples))
    language = _language(settings.language)
    own = read_reports(settings.predictions, fields=_fields(settings.prediction_field, PREDICTION_FIELDS))
    other = read_reports(
        settings.references, fields=_fields(settings.reference_field, REFERENCE_FIELDS), split=settings.split
    )
    pair_up(own.reports, other.reports, name="predictions", against="references")
    training = None
    if settings.training is not None:
        training = read_reports(settings.training, fields=REFERENCE_FIELDS, split="train").reports.values()
    protocol = get_protocol(
        settings.protocol,
        language=settings.language,
        training=training,
        cleaning=settings.cleaning,
        threshold=settings.threshold,
    )
    ids = sorted(own.reports)
    name = settings.vocabulary or _DEFAULT_VOCABULARY[settings.language]
    findings: dict[str, Any] = {}
    clinical = None
    if name != _NO_VOCABULARY:
        vocabulary = get_vocabulary(name)
        sides = [[side.reports[id_] for id_ in ids] for side in (own, other)]
        if labeler is None:
            predicted, true = (label_reports(texts, vocabulary=name, language=language) for texts in sides)
            version = get_labeler(vocabulary, language).version
        else:
            predicted, true = (labeler.label_many(texts) for texts in sides)
            version = labeler.version
        clinical = clinical_grid(
            predicted,
            true,
            vocabulary,
            headline=settings.headline,
            patients=None if other.patients is None else [other.patients[id_] for id_ in ids],
            resamples=settings.resamples,
            seed=settings.seed,
        )
        findings = {
            "predicted_findings": _positive(ids, predicted, vocabulary),
            "true_findings": _positive(ids, true, vocabulary),
            "vocabulary": vocabulary,
            "labeler": version,
        }
    scores = score_reports(
        own.reports,
        other.reports,
        language=settings.language,
        tokenizer=settings.tokens,
        protocol=protocol,
        metrics=settings.metrics,
        more_metrics=more_metrics,
        patients=other.patients,
        resamples=settings.resamples,
        seed=settings.seed,
        **findings,
    )
    texts = [[side.reports[id_] for id_ in scores.ids] for side in (own, other)]
    if settings.graph:
        extractor = extractor or get_extractor(language)
        said, true_graphs = (extract_graphs(extractor, side) for side in texts)
        formulas = [GraphScore(figure, language) for figure in GRAPH_FIGURES]
        how = f"graphs:{extractor.version}|truth:references"
        scores = add_metrics(scores, formulas, graph_statistics(said, true_graphs, language), how=how)
        scores = replace(scores, protocol={**scores.protocol, "graphs": extractor.version})
    if settings.priors:
        known = [prior_in_comparison(other.comparisons.get(id_)) for id_ in scores.ids]
        shares = [PriorScore(figure, language) for figure in PRIOR_FIGURES]
        rows = prior_statistics(texts[0], texts[1], language=language, known=known)
        scores = add_metrics(scores, shares, rows, how=f"{PRIORS_VERSION}|facts:comparison,reference")
    return ScoredFiles(scores=scores, clinical=clinical)


def write_per_report(path: str | Path, scores: Scores) -> None:
    """Write each report's own figures as JSON Lines: ``id``, every figure, and ``patient_id`` where it is known."""
    figures: dict[str, Sequence[Any]] = dict(scores.per_report())
    if scores.protocol["resampled"] == "patients":
        figures = {"patient_id": scores.patients, **figures}
    rows = (
        {"id": id_} | {name: values[place] for name, values in figures.items()} for place, id_ in enumerate(scores.ids)
    )
    # ASCII escapes, because an id may hold what no file can.
    write_text(path, "".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows))


def _language(name: str) -> Literal["zh", "en"]:
    if name not in _DEFAULT_VOCABULARY:
        raise UserError(f"Unknown report language {name!r}", allowed=_DEFAULT_VOCABULARY, got=name)
    return "zh" if name == "zh" else "en"


def _fields(named: str | None, usual: Sequence[str]) -> Sequence[str]:
    return usual if named is None else (named,)


def _positive(ids: Sequence[str], mentions: Sequence[Any], vocabulary: Any) -> dict[str, Any]:
    return {id_: positive_findings(found, vocabulary) for id_, found in zip(ids, mentions, strict=True)}
