"""The evidence behind a generated report, as the page shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmrg.benchmark.pictures import embed_film, embed_picture
from llmrg.benchmark.predictions import Prediction
from llmrg.benchmark.settings import GallerySettings
from llmrg.benchmark.words import finding_label, side_word
from llmrg.findings.vocabulary import FindingVocabulary
from llmrg.studies.study import Study

__all__ = ["EvidenceLookup", "evidence_view"]

_QUERIES_SHOWN = 8
_RETRIEVED_SHOWN = 6
_PATTERNS_SHOWN = 6
_THUMBNAIL = 112
_EXCERPT = 160


@dataclass(frozen=True)
class EvidenceLookup:
    """Where the training studies that the evidence names are found.

    Args:
        find: study id to study, or None if it is not known.
        target: sections that make a report.
        cache: thumbnails made so far, by study id.
    """

    find: Callable[[str], Study | None]
    target: tuple[str, ...]
    cache: dict[str, str | None] = field(default_factory=dict)

    def thumbnail(self, study_id: str) -> str | None:
        """Data URI of the study's first film, small, or None."""
        if study_id not in self.cache:
            study = self.find(study_id)
            picture = embed_film(study.images[0].path, size=_THUMBNAIL) if study and study.images else None
            self.cache[study_id] = None if picture is None else picture.uri
        return self.cache[study_id]

    def excerpt(self, study_id: str) -> str:
        """The beginning of the study's report."""
        study = self.find(study_id)
        text = "" if study is None else " ".join(study.report(self.target).split())
        return text if len(text) <= _EXCERPT else text[:_EXCERPT].rstrip() + "…"


def evidence_view(
    prediction: Prediction,
    vocabulary: FindingVocabulary,
    language: str,
    lookup: EvidenceLookup,
    settings: GallerySettings,
) -> dict[str, Any] | None:
    """Collect the evidence of a prediction as plain values, or None where it has none."""
    queries = sorted(prediction.records("disease_queries"), key=lambda item: -_number(item.get("probability")))
    studies = [*prediction.records("retrieved_context"), *prediction.records("context_residuals")]
    retrieved = sorted(studies, key=lambda item: -_number(item.get("similarity")))
    view: dict[str, Any] = {
        "queries": [
            {
                "label": finding_label(str(item.get("finding")), vocabulary, language),
                "probability": _number(item.get("probability")),
                "side": _side(item.get("side"), language),
                "picture": None if picture is None else picture.uri,
            }
            for item in queries[:_QUERIES_SHOWN]
            for picture in [embed_picture(prediction.folder, item.get("picture"), size=settings.picture_size)]
        ],
        "queries_total": len(queries),
        "retrieved": [
            {
                "study": str(item.get("study_id")),
                "similarity": _number(item.get("similarity")),
                "role": str(item.get("role") or ""),
                "agreement": _number(item.get("agreement")),
                "thumbnail": lookup.thumbnail(str(item.get("study_id"))),
                "excerpt": lookup.excerpt(str(item.get("study_id"))),
            }
            for item in retrieved[:_RETRIEVED_SHOWN]
        ],
        "retrieved_total": len(retrieved),
        "memories": [
            {"name": name, "patterns": patterns}
            for kind, name in (("visual_memory", "Visual memory"), ("report_memory", "Report memory"))
            if (patterns := _patterns(prediction, kind, vocabulary, language))
        ],
    }
    return view if view["queries"] or view["retrieved"] or view["memories"] else None


def _patterns(prediction: Prediction, kind: str, vocabulary: FindingVocabulary, language: str) -> list[dict[str, Any]]:
    items = sorted(prediction.records(kind), key=lambda item: -_number(item.get("weight")))
    shown: list[dict[str, Any]] = []
    for item in items[:_PATTERNS_SHOWN]:
        pattern = item.get("pattern")
        source: Mapping[str, Any] = pattern if isinstance(pattern, Mapping) else {}
        shown.append(
            {
                "query": finding_label(str(item.get("finding")), vocabulary, language, short=True),
                "pattern": finding_label(str(source.get("finding", "")), vocabulary, language, short=True),
                "study": str(source.get("study_id", "")),
                "weight": _number(item.get("weight")),
                "same": item.get("finding") == source.get("finding"),
            }
        )
    return shown


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def _side(value: object, language: str) -> str:
    return side_word(value, language) if value in ("left", "right", "bilateral") else ""
