"""CheXpert Plus: one CSV row a film, PNG films under ``PNG``, label files as JSON Lines, English, adults."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from llmrg.artefacts import write_text
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.phantoms.case import Cohort
from llmrg.studies.phantoms.layouts.layout import Entry, Slot
from llmrg.studies.phantoms.truth import PhantomTruth
from llmrg.studies.splits import split_of
from llmrg.studies.study import Language

__all__ = ["COLUMNS", "CheXpertPlusLayout", "labels_of"]

COLUMNS = (
    "path_to_image",
    "path_to_dcm",
    "frontal_lateral",
    "ap_pa",
    "deid_patient_id",
    "patient_report_date_order",
    "report",
    "section_narrative",
    "section_clinical_history",
    "section_history",
    "section_comparison",
    "section_technique",
    "section_procedure_comments",
    "section_findings",
    "section_impression",
    "section_end_of_impression",
    "section_summary",
    "section_accession_number",
    "age",
    "sex",
    "race",
    "ethnicity",
    "interpreter_needed",
    "insurance_type",
    "recent_bmi",
    "deceased",
    "split",
)

# Words that, in a report without the finding, can only deny it.
_DENIED = {
    "Cardiomegaly": r"\bheart\b|cardiac silhouette|cardiac size|cardiomegaly",
    "Edema": r"\bo?edema\b|vascular congestion",
    "Consolidation": r"consolidation",
    "Pneumothorax": r"pneumothora",
    "Pleural Effusion": r"effusion|costophrenic",
    "Lung Opacity": r"lungs are clear|clear lungs|opacit|infiltrate|airspace disease",
    "Lung Lesion": r"nodul|\bmass",
    "Atelectasis": r"atelecta",
    "Fracture": r"fracture",
}
_HISTORIES = (
    "shortness of breath", "cough and fever", "chest pain", "status post fall", "preoperative evaluation",
    "hypoxia", "follow up", "line placement", "rule out pneumonia", "weakness",
)  # fmt: skip
_RACES = ("White", "Asian", "Black or African American", "Other", "Unknown")
_INSURANCES = ("Private Insurance", "Medicare", "Medicaid", "Unknown")


class CheXpertPlusLayout:
    """The release's CSV, label files and ``PNG/train/patientN/studyM`` tree.

    As in the release, ``split`` knows only ``train`` and ``valid``; readers divide ``train`` by patient.
    """

    cohort: Cohort = "adult"
    language: Language = "en"

    def plan(self, studies: int, *, seed: int) -> list[Slot]:
        """Lay out patients of one to three studies; a few patients are the release's own valid set."""
        rng = np.random.default_rng([seed, 102])
        slots: list[Slot] = []
        patient = 0
        while len(slots) < studies:
            count = min(studies - len(slots), int(rng.choice((1, 2, 3), p=(0.82, 0.13, 0.05))))
            valid = bool(rng.random() < 0.04)
            patient_id = f"patient{patient + 1:05d}"
            folder = "valid" if valid else "train"
            for number in range(1, count + 1):
                study_id = f"{patient_id}/study{number}"
                films = {
                    view: f"PNG/{folder}/{study_id}/view{place}_{view}.png"
                    for place, view in enumerate(("frontal", "lateral"), start=1)
                }
                slots.append(
                    Slot(
                        index=len(slots),
                        patient=patient,
                        study_id=study_id,
                        patient_id=patient_id,
                        split="valid" if valid else split_of(patient_id),
                        films=films,
                    )
                )
            patient += 1
        return slots

    def write(self, root: Path, entries: Sequence[Entry]) -> None:
        """Write the CSV and the three label files."""
        table = io.StringIO()
        rows = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        rows.writeheader()
        labels: dict[str, list[str]] = {"findings": [], "impression": [], "report": []}
        for entry in entries:
            common = _common(entry)
            texts = {"findings": common["section_findings"], "impression": common["section_impression"]}
            texts["report"] = f"{texts['findings']}\n{texts['impression']}"
            for view, film in entry.slot.films.items():
                path = film.removeprefix("PNG/").removesuffix(".png")
                frontal = view == "frontal"
                own = {
                    "path_to_image": f"{path}.jpg",
                    "path_to_dcm": f"{path}.dcm",
                    "frontal_lateral": "Frontal" if frontal else "Lateral",
                    "ap_pa": common["ap_pa"] if frontal else "",
                }
                rows.writerow(common | own)
                for name, text in texts.items():
                    line = {"path_to_image": f"{path}.jpg", **labels_of(entry.truth, text)}
                    labels[name].append(json.dumps(line) + "\n")
        write_text(root / "df_chexpert_plus_240401.csv", table.getvalue())
        for name, lines in labels.items():
            write_text(root / "chexbert_labels" / f"{name}_fixed.json", "".join(lines))


def labels_of(truth: PhantomTruth, text: str) -> dict[str, float | None]:
    """Return the 14 labels of a report: 1 for what is there, 0 for what the text names in vain, else None."""
    vocabulary = get_vocabulary("chexpert14")
    labels: dict[str, float | None] = {}
    for finding in vocabulary.abnormal:
        if finding.observation in truth.observations:
            labels[finding.name] = 1.0
        else:
            words = _DENIED.get(finding.name)
            labels[finding.name] = 0.0 if words and re.search(words, text, re.IGNORECASE) else None
    # An effusion or thickening that is there may blunt an angle without denying the other.
    if (
        "pleural_thickening" in truth.observations
        and labels["Pleural Effusion"] == 0.0
        and "effusion" not in text.lower()
    ):
        labels["Pleural Effusion"] = None
    alone = set(truth.observations) <= {"support_device"}
    labels["No Finding"] = 1.0 if alone else None
    return labels


def _common(entry: Entry) -> dict[str, str]:
    """Return the columns that every film of a study shares; absent sections are empty cells."""
    rng, truth = entry.rng, entry.truth
    findings, impression = entry.report["findings"], entry.report["impression"]
    if rng.random() < 0.25:
        impression = _shouted_list(impression)
    sex = truth.sex.capitalize()
    history = _HISTORIES[int(rng.integers(len(_HISTORIES)))]
    number = int(entry.slot.study_id.rsplit("study", 1)[1])
    sections: dict[str, str] = {
        "section_narrative": "RADIOGRAPHIC EXAMINATION OF THE CHEST" if rng.random() < 0.6 else "",
        "section_clinical_history": f"{truth.age:.0f} years of age, {sex}, {history}." if rng.random() < 0.62 else "",
        "section_history": f"{history.capitalize()}." if rng.random() < 0.17 else "",
        "section_comparison": ("None." if number == 1 else "Prior study.") if rng.random() < 0.5 else "",
        "section_technique": "Two views of the chest." if rng.random() < 0.3 else "",
        "section_findings": findings,
        "section_impression": impression,
        "section_summary": "4-POSSIBLE SIGNIFICANT FINDINGS" if truth.findings and rng.random() < 0.3 else "",
    }
    headings = {
        "NARRATIVE": "section_narrative", "CLINICAL HISTORY": "section_clinical_history", "HISTORY": "section_history",
        "COMPARISON": "section_comparison", "TECHNIQUE": "section_technique", "FINDINGS": "section_findings",
        "IMPRESSION": "section_impression", "SUMMARY": "section_summary",
    }  # fmt: skip
    report = "\n".join(f"{heading}:\n{sections[key]}" for heading, key in headings.items() if sections[key])
    identity: Mapping[str, str] = {
        "ap_pa": "AP" if rng.random() < 0.4 or "support_device" in truth.observations else "PA",
        "deid_patient_id": entry.slot.patient_id,
        "patient_report_date_order": str(number),
        "report": report,
        "age": f"{truth.age:.1f}",
        "sex": sex,
        "race": _RACES[int(rng.integers(len(_RACES)))],
        "ethnicity": "Non-Hispanic/Non-Latino" if rng.random() < 0.8 else "Hispanic/Latino",
        "interpreter_needed": "Yes" if rng.random() < 0.15 else "No",
        "insurance_type": _INSURANCES[int(rng.integers(len(_INSURANCES)))],
        "recent_bmi": f"{rng.normal(26, 4):.1f}" if rng.random() < 0.8 else "",
        "deceased": "Yes" if rng.random() < 0.2 else "No",
        "split": "valid" if entry.slot.split == "valid" else "train",
    }
    return dict.fromkeys(COLUMNS, "") | sections | dict(identity)


def _shouted_list(text: str) -> str:
    """Write sentences as the release often has them: a numbered list in capitals with blank lines between."""
    sentences = [part.strip() for part in re.split(r"(?<=[.;])\s+(?!\d)", re.sub(r"(?m)^\s*\d+[.)]\s*", "", text))]
    return "\n\n".join(f"{i}. {part.upper()}" for i, part in enumerate(filter(None, sentences), start=1))
