"""CN-CXR, as Chinese hospital data are laid out by published code: findings and impression in Chinese, adults."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from llmrg.artefacts import write_text
from llmrg.studies.phantoms.case import Cohort
from llmrg.studies.phantoms.layouts.layout import Entry, Slot, shares
from llmrg.studies.study import Language

__all__ = ["CnCxrLayout"]

_INDICATIONS = ("咳嗽、咳痰", "发热", "胸闷、气促", "体检", "胸痛", "术前检查")


class CnCxrLayout:
    """``annotation.json`` with ``image_finding`` and ``impressions``, films below ``images/P000001``.

    A patient has one to three studies, all of one split (7:1:2).
    """

    cohort: Cohort = "adult"
    language: Language = "zh"

    def plan(self, studies: int, *, seed: int) -> list[Slot]:
        """Lay out patients of one to three studies."""
        rng = np.random.default_rng([seed, 106])
        counts: list[int] = []
        while sum(counts) < studies:
            counts.append(min(studies - sum(counts), int(rng.choice((1, 2, 3), p=(0.85, 0.11, 0.04)))))
        slots: list[Slot] = []
        for patient, (count, split) in enumerate(zip(counts, shares(len(counts), seed=seed), strict=True)):
            patient_id = f"P{patient + 1:06d}"
            for _ in range(count):
                study_id = f"E{len(slots) + 1:06d}"
                films = {
                    view: f"images/{patient_id}/{study_id}_{letters}.png"
                    for view, letters in (("frontal", "PA"), ("lateral", "LAT"))
                }
                slots.append(
                    Slot(
                        index=len(slots),
                        patient=patient,
                        study_id=study_id,
                        patient_id=patient_id,
                        split=split,
                        films=films,
                    )
                )
        return slots

    def write(self, root: Path, entries: Sequence[Entry]) -> None:
        """Write ``annotation.json``; paths are relative to ``images``."""
        annotation: dict[str, list[dict[str, object]]] = {"train": [], "val": [], "test": []}
        for entry in entries:
            annotation[entry.slot.split].append(
                {
                    "id": entry.slot.study_id,
                    "patient_id": entry.slot.patient_id,
                    "image_path": [path.removeprefix("images/") for path in entry.slot.films.values()],
                    "image_finding": entry.report["findings"],
                    "impressions": entry.report["impression"],
                    "age": f"{entry.truth.age:.0f}岁",
                    "sex": {"female": "女", "male": "男"}[entry.truth.sex],
                    "indication": _INDICATIONS[int(entry.rng.integers(len(_INDICATIONS)))],
                }
            )
        write_text(root / "annotation.json", json.dumps(annotation, ensure_ascii=False, indent=1) + "\n")
