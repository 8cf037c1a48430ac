"""The layouts that R2Gen made common: one annotation file of study records with image paths and splits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from llmrg.artefacts import write_text
from llmrg.studies.phantoms.case import Cohort
from llmrg.studies.phantoms.layouts.layout import Entry, Slot, shares
from llmrg.studies.study import Language

__all__ = ["IuXrayLayout", "MimicCxrLayout"]


class IuXrayLayout:
    """IU X-ray: ``annotation.json`` and ``images/CXR1_IM-0001/0.png`` (frontal) and ``1.png`` (lateral), English."""

    cohort: Cohort = "adult"
    language: Language = "en"

    def plan(self, studies: int, *, seed: int) -> list[Slot]:
        """Lay out one study a patient, split 7:1:2."""
        slots = []
        for index, split in enumerate(shares(studies, seed=seed)):
            name = f"CXR{index + 1}_IM-{index + 1:04d}"
            films = {view: f"images/{name}/{number}.png" for number, view in enumerate(("frontal", "lateral"))}
            patient_id = f"CXR{index + 1}"
            slots.append(
                Slot(index=index, patient=index, study_id=name, patient_id=patient_id, split=split, films=films)
            )
        return slots

    def write(self, root: Path, entries: Sequence[Entry]) -> None:
        """Write ``annotation.json`` (findings; paths below ``images``) and ``indiana_projections.csv`` (views)."""
        annotation: dict[str, list[dict[str, object]]] = {"train": [], "val": [], "test": []}
        projections = ["uid,filename,projection"]
        for entry in entries:
            annotation[entry.slot.split].append(_record(entry) | {"tag": "iu"})
            number = entry.slot.patient_id.removeprefix("CXR")
            stem = entry.slot.study_id.removeprefix("CXR")
            for place, view in enumerate(entry.slot.films, start=1):
                projections.append(f"{number},{stem}-{place}001.dcm.png,{view.capitalize()}")
        write_text(root / "annotation.json", json.dumps(annotation, ensure_ascii=False, indent=1) + "\n")
        write_text(root / "indiana_projections.csv", "\n".join(projections) + "\n")


class MimicCxrLayout:
    """MIMIC-CXR as R2Gen lists it: ``annotation.json`` and ``images/p10/p10000001/s50000001/ID.jpg``, English."""

    cohort: Cohort = "adult"
    language: Language = "en"

    def plan(self, studies: int, *, seed: int) -> list[Slot]:
        """Lay out patients of one to three studies; all studies of a patient stand in one split, 7:1:2."""
        rng = np.random.default_rng([seed, 105])
        counts: list[int] = []
        while sum(counts) < studies:
            counts.append(min(studies - sum(counts), int(rng.choice((1, 2, 3), p=(0.7, 0.2, 0.1)))))
        slots: list[Slot] = []
        for patient, (count, split) in enumerate(zip(counts, shares(len(counts), seed=seed), strict=True)):
            subject = str(10_000_000 + 97 * patient + 1)
            for _ in range(count):
                study_id = str(50_000_000 + 31 * len(slots) + 1)
                films = {}
                for view in ("frontal", "lateral"):
                    name = "-".join(f"{int(part):08x}" for part in rng.integers(0, 2**32, size=5))
                    films[view] = f"images/p{subject[:2]}/p{subject}/s{study_id}/{name}.jpg"
                slots.append(
                    Slot(
                        index=len(slots),
                        patient=patient,
                        study_id=study_id,
                        patient_id=subject,
                        split=split,
                        films=films,
                    )
                )
        return slots

    def write(self, root: Path, entries: Sequence[Entry]) -> None:
        """Write ``annotation.json`` (findings; paths below ``images``) and the release's metadata file (views)."""
        annotation: dict[str, list[dict[str, object]]] = {"train": [], "val": [], "test": []}
        metadata = ["dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition"]
        for entry in entries:
            subject, study = entry.slot.patient_id, entry.slot.study_id
            annotation[entry.slot.split].append(_record(entry) | {"study_id": int(study), "subject_id": int(subject)})
            for view, film in entry.slot.films.items():
                position = "PA" if view == "frontal" else "LATERAL"
                metadata.append(f"{Path(film).stem},{subject},{study},CHEST (PA AND LAT),{position}")
        write_text(root / "annotation.json", json.dumps(annotation, ensure_ascii=False, indent=1) + "\n")
        write_text(root / "mimic-cxr-2.0.0-metadata.csv", "\n".join(metadata) + "\n")


def _record(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.slot.study_id,
        "report": entry.report["findings"],
        "image_path": [path.removeprefix("images/") for path in entry.slot.films.values()],
        "split": entry.slot.split,
    }
