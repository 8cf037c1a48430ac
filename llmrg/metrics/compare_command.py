"""What ``llmrg compare`` does: files of several systems in, figures and paired tests out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from llmrg.errors import UserError
from llmrg.findings.priors import PRIORS_VERSION, prior_in_comparison
from llmrg.findings.vocabulary import FindingVocabulary, get_vocabulary
from llmrg.metrics.added_scores import add_metrics, headline_figures
from llmrg.metrics.clinical_statistics import ClinicalScore
from llmrg.metrics.comparison import Comparison, SystemFigure, compare_systems, system_figures
from llmrg.metrics.finding_scores import FINDING_FIGURES
from llmrg.metrics.invented_priors import PRIOR_FIGURES, PriorScore, prior_statistics
from llmrg.metrics.reading import PREDICTION_FIELDS, REFERENCE_FIELDS, read_reports
from llmrg.metrics.score_command import ScoreSettings, score_files
from llmrg.metrics.scores import Scores
from llmrg.metrics.wording import WORDING_METRICS

__all__ = ["DEFAULT_WORDING_FIGURES", "CompareSettings", "ComparedSystems", "compare_files", "parse_systems"]

DEFAULT_WORDING_FIGURES = ("bleu_4", "rouge_l", "cider")
_DEFAULT_VOCABULARY = {"zh": "ped_xray", "en": "chexpert14"}


@dataclass(frozen=True, kw_only=True)
class CompareSettings:
    """How several systems are compared.

    Args:
        systems: files of predictions by the system's name, one for each run (seed).
        scoring: how every file is scored; its ``predictions`` and ``metrics`` are replaced.
        metrics: names of figures (``bleu_4``, ``r2gen/14/macro/f1``, ``invented_priors``, ...); by default BLEU-4,
            ROUGE-L, CIDEr and the F1 of the clinical headlines.
        baseline: the system that all others are held against; by default every pair is compared.
        trials: of the randomisation test.
        confidence: of the intervals; 1 - confidence is the level of the claims.
    """

    systems: Mapping[str, Sequence[Path]]
    scoring: ScoreSettings
    metrics: Sequence[str] | None = None
    baseline: str | None = None
    trials: int = 10_000
    confidence: float = 0.95


@dataclass(frozen=True, kw_only=True)
class ComparedSystems:
    """What came out.

    Args:
        figures: of every system by metric, in the order given.
        comparisons: of every pair, or of every system with the baseline.
        metrics: names of the figures.
        signatures: how each figure was computed.
        notes: what is odd about a system's texts, by its name.
    """

    figures: Mapping[str, Mapping[str, SystemFigure]]
    comparisons: tuple[Comparison, ...]
    metrics: tuple[str, ...]
    signatures: Mapping[str, str]
    notes: Mapping[str, tuple[str, ...]]

    def to_mapping(self) -> dict[str, Any]:
        """Return all of it as JSON holds it."""
        return {
            "systems": {
                name: {metric: figure.to_mapping() for metric, figure in figures.items()}
                for name, figures in self.figures.items()
            },
            "comparisons": [comparison.to_mapping() for comparison in self.comparisons],
            "signatures": dict(self.signatures),
            "notes": {name: list(notes) for name, notes in self.notes.items()},
        }


def parse_systems(arguments: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """Read ``NAME=FILE[,FILE...]`` arguments.

    Raises:
        UserError: another form, a name or file given twice, or fewer than two systems.
    """
    systems: dict[str, tuple[Path, ...]] = {}
    for argument in arguments:
        name, sign, files = argument.partition("=")
        paths = tuple(Path(part) for part in ([files] if Path(files).is_file() else files.split(",")))
        if not sign or not name.strip() or any(not part.name for part in paths):
            raise UserError(
                "A system is given as NAME=FILE[,FILE...]", got=argument, where=argument, next_step="write a=a.jsonl"
            )
        if name in systems:
            raise UserError(f"The system {name!r} is given twice", next_step="list its runs behind one name, by commas")
        if len(set(paths)) != len(paths):
            raise UserError(f"A file of the system {name!r} is given twice; a run counts once")
        systems[name] = paths
    if len(systems) < 2:
        raise UserError("Two systems or more are compared", next_step="write a=a.jsonl b=b.jsonl")
    return systems


def compare_files(settings: CompareSettings) -> ComparedSystems:
    """Score every file, then compare the systems pair by pair.

    Raises:
        UserError: files, ids, names of systems or figures that do not fit.
    """
    if settings.baseline is not None and settings.baseline not in settings.systems:
        raise UserError(
            f"The baseline {settings.baseline!r} is no system", allowed=settings.systems, got=settings.baseline
        )
    scoring = settings.scoring
    name = scoring.vocabulary or _DEFAULT_VOCABULARY.get(scoring.language)
    vocabulary = None if name in (None, "none") else get_vocabulary(str(name))
    metrics = tuple(settings.metrics or ())
    if settings.metrics is None:
        metrics = (*DEFAULT_WORDING_FIGURES, *(headline_figures(vocabulary) if vocabulary else ()))
    _require_known(metrics, with_findings=vocabulary is not None)
    runs = {
        system: [_score(replace(scoring, predictions=path), metrics, vocabulary) for path in paths]
        for system, paths in settings.systems.items()
    }
    for system, scores in runs.items():
        absent = [metric for metric in metrics if metric not in scores[0].formulas]
        if absent:
            raise UserError(f"{absent[0]} cannot be computed: {' '.join(scores[0].notes)}", where=f"system {system}")
    figures = {
        system: system_figures(
            scores, metrics, resamples=scoring.resamples, confidence=settings.confidence, seed=scoring.seed
        )
        for system, scores in runs.items()
    }
    pairs = list(combinations(runs, 2))
    if settings.baseline is not None:
        pairs = [(system, settings.baseline) for system in runs if system != settings.baseline]
    comparisons = tuple(
        compare_systems(
            runs[one],
            runs[two],
            metrics,
            names=(one, two),
            trials=settings.trials,
            resamples=scoring.resamples,
            confidence=settings.confidence,
            seed=scoring.seed,
        )
        for one, two in pairs
    )
    model = next(iter(runs.values()))[0]
    return ComparedSystems(
        figures=figures,
        comparisons=comparisons,
        metrics=metrics,
        signatures={metric: model.signatures[metric] for metric in metrics},
        notes={
            system: tuple(dict.fromkeys(note for run in scores for note in run.notes))
            for system, scores in runs.items()
        },
    )


def _require_known(metrics: Sequence[str], *, with_findings: bool) -> None:
    known = [f"bleu_{order}" for order in range(1, 5)] + [name for name in WORDING_METRICS if name != "bleu"]
    known += ["mean_length", *PRIOR_FIGURES, *(FINDING_FIGURES if with_findings else ())]
    for metric in metrics:
        if "/" not in metric and metric not in known:
            rows = ("PROTOCOL/CLASSES/AVERAGE/FIGURE",) if with_findings else ()
            raise UserError(f"Unknown figure {metric!r}", where="--metrics", allowed=(*known, *rows), got=metric)
    if not metrics:
        raise UserError("No figure is named", where="--metrics", allowed=known)


def _score(settings: ScoreSettings, metrics: Sequence[str], vocabulary: FindingVocabulary | None) -> Scores:
    wording = [
        name
        for name in WORDING_METRICS
        if any(metric.partition("_")[0] == name or metric == name for metric in metrics)
    ]
    # Intervals come from the runs together, so none are drawn here.
    scored = score_files(replace(settings, metrics=wording, resamples=0))
    scores = scored.scores
    clinical = [metric for metric in metrics if "/" in metric]
    if clinical and (vocabulary is None or scored.clinical is None):
        raise UserError(f"{clinical[0]!r} needs a vocabulary of findings", where="--vocabulary")
    if clinical and vocabulary is not None and scored.clinical is not None:
        how = next((text for name, text in scores.signatures.items() if name.startswith("clinical_")), "")
        labels = "|".join(part for part in how.split("|") if part.startswith(("vocabulary:", "labeler:")))
        formulas = [ClinicalScore(metric, vocabulary) for metric in clinical]
        scores = add_metrics(scores, formulas, scored.clinical.statistics, how=labels)
    priors = [metric for metric in metrics if metric in PRIOR_FIGURES]
    if priors:
        language: Literal["zh", "en"] = "zh" if settings.language == "zh" else "en"
        own = read_reports(settings.predictions, fields=_fields(settings.prediction_field, PREDICTION_FIELDS))
        other = read_reports(settings.references, fields=_fields(settings.reference_field, REFERENCE_FIELDS))
        statistics = prior_statistics(
            [own.reports[id_] for id_ in scores.ids],
            [other.reports[id_] for id_ in scores.ids],
            language=language,
            known=[prior_in_comparison(other.comparisons.get(id_)) for id_ in scores.ids],
        )
        shares = [PriorScore(metric, language) for metric in priors]
        scores = add_metrics(scores, shares, statistics, how=f"{PRIORS_VERSION}|facts:comparison,reference")
    return scores


def _fields(named: str | None, usual: Sequence[str]) -> Sequence[str]:
    return usual if named is None else (named,)
