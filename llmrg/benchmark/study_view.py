"""One study as the page shows it: films, reference, every report with its marks, and the evidence behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llmrg.benchmark.comparison import OUTCOMES, FindingOutcome, Outcome
from llmrg.benchmark.evidence_view import EvidenceLookup, evidence_view
from llmrg.benchmark.marks import Mark, mark_text
from llmrg.benchmark.pictures import embed_film
from llmrg.benchmark.predictions import Prediction
from llmrg.benchmark.settings import GallerySettings
from llmrg.benchmark.words import OUTCOME_SYMBOLS, OUTCOME_WORDS, describe_outcome, finding_label, side_word
from llmrg.findings.mention import Mention
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.studies.phantoms.truth import PhantomTruth
from llmrg.studies.study import Study

__all__ = ["ReportColumn", "study_view"]


@dataclass(frozen=True, kw_only=True)
class ReportColumn:
    """One row of the table, seen at one study.

    Args:
        system: the row's name.
        kind: its kind.
        report: the text.
        outcomes: its findings against the true ones.
        prediction: the prediction with its evidence, for systems.
    """

    system: str
    kind: str
    report: str
    outcomes: tuple[FindingOutcome, ...]
    prediction: Prediction | None = None


def study_view(
    study: Study,
    *,
    group: Outcome,
    reference: str,
    labelled: Mapping[str, Mention],
    expected: Mapping[str, Mention],
    truth: PhantomTruth | None,
    columns: Sequence[ReportColumn],
    vocabulary: FindingVocabulary,
    lookup: EvidenceLookup,
    settings: GallerySettings,
) -> dict[str, Any]:
    """Collect all that the page shows of a study, as plain values that JSON can hold.

    Args:
        study: the study.
        group: why it was chosen.
        reference: its full reference report.
        labelled: what the labeler reads in the reference.
        expected: the true findings.
        truth: the side file's entry with boxes, where there is one.
        columns: the reports to show; systems first.
        vocabulary: the findings.
        lookup: where retrieved studies are found.
        settings: sizes of pictures.
    """
    language = study.language
    shown = [column for column in columns if column.kind == "system"] or list(columns[:1])
    missed_by: dict[str, list[str]] = {}
    for column in shown:
        for outcome in column.outcomes:
            if outcome.outcome == "missed":
                missed_by.setdefault(outcome.finding, []).append(column.system)
    return {
        "id": study.id,
        "patient": study.patient_id,
        "language": language,
        "context": _context(study),
        "group": group,
        "outcomes": sorted({outcome.outcome for column in shown for outcome in column.outcomes}) or ["right"],
        "films": _films(study, truth, missed_by, vocabulary, settings),
        "reference": {
            "segments": _reference_segments(reference, labelled, expected, missed_by, vocabulary, language),
            "findings": [
                {"label": finding_label(name, vocabulary, language), "side": side_word(mention.whole_side, language)}
                for name, mention in expected.items()
                if mention.polarity == "positive" and not vocabulary[name].normal
            ],
        },
        "reports": [_report(column, vocabulary, language) for column in columns],
        "evidence": [
            {"system": column.system, **view}
            for column in columns
            if column.prediction is not None
            and (view := evidence_view(column.prediction, vocabulary, language, lookup, settings)) is not None
        ],
    }


def _context(study: Study) -> str:
    """Age, sex and indication; an indication that states the age already says all of it."""
    context = study.context
    indication = (context.indication or "").strip()
    if context.age is None:
        return ", ".join(part for part in (context.sex, indication) if part)
    age = f"{context.age * 12:.0f} months" if context.age < 2 else f"{context.age:.0f} years"
    if f"{context.age:.0f}" in re.findall(r"\d+", indication):
        return indication
    return ", ".join(part for part in (age, context.sex, indication) if part)


def _films(
    study: Study,
    truth: PhantomTruth | None,
    missed_by: Mapping[str, Sequence[str]],
    vocabulary: FindingVocabulary,
    settings: GallerySettings,
) -> list[dict[str, Any]]:
    names = {finding.observation: finding.name for finding in vocabulary.abnormal}
    films: list[dict[str, Any]] = []
    for image in study.images:
        picture = embed_film(image.path, size=settings.film_size)
        if picture is None:
            continue
        boxes = [
            {
                "x": round(box[0] * picture.scale, 1),
                "y": round(box[1] * picture.scale, 1),
                "width": round((box[2] - box[0]) * picture.scale, 1),
                "height": round((box[3] - box[1]) * picture.scale, 1),
                "label": finding_label(names[finding.observation], vocabulary, study.language),
                "missed": names[finding.observation] in missed_by,
            }
            for finding in (truth.findings if truth is not None else ())
            if finding.observation in names and (box := finding.boxes.get(image.view)) is not None
        ]
        films.append(
            {"uri": picture.uri, "width": picture.width, "height": picture.height, "view": image.view, "boxes": boxes}
        )
    return films


def _reference_segments(
    reference: str,
    labelled: Mapping[str, Mention],
    expected: Mapping[str, Mention],
    missed_by: Mapping[str, Sequence[str]],
    vocabulary: FindingVocabulary,
    language: str,
) -> list[dict[str, Any]]:
    marks: list[Mark] = []
    for name, mention in expected.items():
        read = labelled.get(name)
        if mention.polarity != "positive" or vocabulary[name].normal or read is None or not read.proof:
            continue
        label = finding_label(name, vocabulary, language)
        if name in missed_by:
            note = f"{label}: missed by {', '.join(missed_by[name])}"
            marks.insert(0, Mark(words=read.proof, kind="missed", note=note))
        else:
            marks.append(Mark(words=read.proof, kind="right", note=f"{label}: true"))
    return [asdict(segment) for segment in mark_text(reference, marks)]


def _report(column: ReportColumn, vocabulary: FindingVocabulary, language: str) -> dict[str, Any]:
    ordered = sorted(column.outcomes, key=lambda outcome: OUTCOMES.index(outcome.outcome))
    marks: list[Mark] = []
    chips: list[dict[str, str]] = []
    for outcome in ordered:
        label = finding_label(outcome.finding, vocabulary, language)
        detail = describe_outcome(outcome, language)
        word = OUTCOME_WORDS[outcome.outcome]
        chips.append(
            {
                "kind": outcome.outcome,
                "symbol": OUTCOME_SYMBOLS[outcome.outcome],
                "word": word,
                "label": label,
                "detail": detail,
            }
        )
        note = f"{label}: {word}" + (f" ({detail})" if detail else "")
        marks.append(Mark(words=outcome.proof, kind=outcome.outcome, note=note))
    return {
        "system": column.system,
        "kind": column.kind,
        "segments": [asdict(segment) for segment in mark_text(column.report, marks)],
        "chips": chips,
        "confidence": None if column.prediction is None else column.prediction.confidence,
    }
