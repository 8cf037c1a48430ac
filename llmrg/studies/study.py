"""A study: one examination of one patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["Context", "Image", "Language", "Study", "ViewName"]

Language = Literal["zh", "en"]
ViewName = Literal["frontal", "lateral", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Image:
    """One film of a study: where its file lies and which view it shows."""

    path: Path
    view: ViewName = "unknown"


@dataclass(frozen=True, kw_only=True)
class Context:
    """What is known before the film is read.

    Args:
        age: in years; fractions for infants.
        sex: as the dataset writes it, normalised to ``female`` or ``male`` where that is clear.
        indication: why the examination was asked for.
        history: clinical history.
    """

    age: float | None = None
    sex: str | None = None
    indication: str | None = None
    history: str | None = None


@dataclass(frozen=True, kw_only=True)
class Study:
    """One examination of one patient: 1..N images, clinical context, perhaps a report and labels.

    Args:
        id: unique in its dataset.
        patient_id: studies of one patient share it; splits must not.
        images: the films, frontal first.
        context: what is known before reading.
        prior: report of a prior study, if known.
        sections: report sections by name (``findings``, ``impression``), cleaned of nothing but outer white space;
            a section that the dataset lacks is absent.
        language: language of the sections.
        split: ``train``, ``val``, ``test`` or another name the dataset uses.
        labels: labels that the dataset ships (name to 1, 0 or -1; absent names are not mentioned), or None.
        dataset: the member of a mixture that the study comes from; None outside mixtures.
    """

    id: str
    patient_id: str
    images: tuple[Image, ...]
    split: str
    language: Language
    context: Context = field(default_factory=Context)
    prior: str | None = None
    sections: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, float] | None = None
    dataset: str | None = None

    def report(self, target: tuple[str, ...] = ("findings",)) -> str:
        """Join the target sections that the study has, in the given order (a space in English, none in Chinese)."""
        glue = "" if self.language == "zh" else " "
        return glue.join(self.sections[name].strip() for name in target if self.sections.get(name, "").strip())
