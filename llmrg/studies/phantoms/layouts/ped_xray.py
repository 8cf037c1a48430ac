"""PED-Xray: one annotation file, two JPEG films a patient under ``images``, Chinese findings, ages 1 to 12."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from llmrg.artefacts import write_text
from llmrg.studies.phantoms.case import Cohort
from llmrg.studies.phantoms.layouts.layout import Entry, Slot, shares
from llmrg.studies.study import Language

__all__ = ["PedXrayLayout"]


class PedXrayLayout:
    """``annotation.json`` maps splits to ``{"id", "report", "image_path"}``; paths are relative to ``images``."""

    cohort: Cohort = "paediatric"
    language: Language = "zh"

    def plan(self, studies: int, *, seed: int) -> list[Slot]:
        """Lay out one study a patient, split 7:1:2."""
        slots = []
        for index, split in enumerate(shares(studies, seed=seed)):
            name = f"{index + 1:05d}"
            films = {
                view: f"images/image{name}/IMG-{number:04d}-00001.jpg"
                for number, view in enumerate(("frontal", "lateral"), start=1)
            }
            slots.append(Slot(index=index, patient=index, study_id=name, patient_id=name, split=split, films=films))
        return slots

    def write(self, root: Path, entries: Sequence[Entry]) -> None:
        """Write ``annotation.json``; the report is the findings section."""
        annotation: dict[str, list[dict[str, object]]] = {"train": [], "val": [], "test": []}
        for entry in entries:
            annotation[entry.slot.split].append(
                {
                    "id": entry.slot.study_id,
                    "report": entry.report["findings"],
                    "image_path": [path.removeprefix("images/") for path in entry.slot.films.values()],
                }
            )
        write_text(root / "annotation.json", json.dumps(annotation, ensure_ascii=False, indent=1) + "\n")
