"""Datasets that the reader tests make for themselves."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llmrg.studies.settings import DataConfig

CHEXPERT_COLUMNS = (
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


@pytest.fixture(scope="session")
def write_film() -> Callable[..., Path]:
    """Write a tiny grey film whose kind follows the file's extension."""

    def write(path: Path, *, size: tuple[int, int] = (20, 16), value: int = 90) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((size[1], size[0]), value, dtype=np.uint8)).save(path)
        return path

    return write


@pytest.fixture
def ped_xray_root(tmp_path: Path, write_film: Callable[..., Path]) -> Path:
    """Six children, two views each, films below ``images/``."""
    root = tmp_path / "ped"
    annotation: dict[str, list[dict[str, Any]]] = {"train": [], "val": [], "test": []}
    for number, split in enumerate(["train"] * 4 + ["val", "test"], start=1):
        name = f"{number:05d}"
        # The lateral film is named first: the order must come from the names, not from the list.
        paths = [f"image{name}/IMG-0002-{name}.jpg", f"image{name}/IMG-0001-{name}.jpg"]
        for path in paths:
            write_film(root / "images" / path)
        annotation[split].append({"id": name, "report": f"  双肺纹理增多,第{number}例。\n", "image_path": paths})
    (root / "annotation.json").write_text(json.dumps(annotation, ensure_ascii=False), encoding="utf-8")
    return root


@pytest.fixture
def ped_xray_config() -> Callable[..., DataConfig]:
    def make(root: Path, **changes: Any) -> DataConfig:
        return DataConfig(
            **{"format": "ped-xray", "root": root, "language": "zh", "vocabulary": "ped_xray", **changes}  # type: ignore[arg-type]
        )

    return make


@pytest.fixture
def chexpert_rows() -> list[dict[str, str]]:
    """Twelve rows with the pathologies of the real file (no real row)."""

    def row(path: str, **values: str) -> dict[str, str]:
        patient = next(part for part in path.split("/") if part.startswith("patient"))
        base = dict.fromkeys(CHEXPERT_COLUMNS, "")
        base.update(
            path_to_image=path,
            path_to_dcm=path.replace(".jpg", ".dcm"),
            frontal_lateral="Lateral" if "lateral" in path else "Frontal",
            ap_pa="" if "lateral" in path else "AP",
            deid_patient_id=patient,
            patient_report_date_order="1",
            age="62.0",
            sex="Female",
            split=path.split("/")[0],
        )
        base.update(values)
        return base

    loud = "1. LOW LUNG VOLUMES.\\n\n2. NO EFFUSION; HEART SIZE, NORMAL."
    return [
        # two films of one study, the lateral first; the second row lacks the section
        row("train/patient1/study1/view2_lateral.jpg", section_findings=loud, section_impression="NORMAL CHEST."),
        row("train/patient1/study1/view1_frontal.jpg", section_findings="", section_clinical_history="Cough."),
        row("train/patient1/study2/view1_frontal.jpg", section_impression="No change."),  # no findings
        row("train/patient2/study1/view1_frontal.jpg", section_findings="NaN", section_impression="Stable."),
        row("train/patient3/study1/view1_frontal.jpg", section_findings="Normal", age="", sex="Unknown"),  # one word
        row("train/patient4/study1/view1_frontal.jpg", section_findings="Café‑au‑lait, 3.5 cm ≥ 2 cm “quoted”."),
        row("train/patient5/study1/view1_frontal.jpg", section_findings="Mild edema.", section_history="CHF."),
        row("train/patient6/study1/view1_frontal.jpg", section_findings="Clear lungs."),
        row("train/patient7/study1/view1_frontal.jpg", section_findings="The film is missing."),
        row("train/patient8/study1/view1_frontal.jpg", section_findings="The film is corrupt."),
        row("valid/patient901/study1/view1_frontal.jpg", section_findings="Clear.", section_impression="Clear."),
        row("valid/patient902/study1/view1_frontal.jpg", section_findings="Left effusion."),
    ]


@pytest.fixture
def write_chexpert(tmp_path: Path, write_film: Callable[..., Path]) -> Callable[..., Path]:
    """Write rows as a CheXpert Plus folder; ``.jpg`` films are ``.png`` on disk, those of patient7 are missing."""

    def write(rows: list[dict[str, str]], *, image_folder: str = "PNG") -> Path:
        root = tmp_path / "chexpert"
        root.mkdir(parents=True, exist_ok=True)
        with (root / "df_chexpert_plus_240401.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, CHEXPERT_COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        for row in rows:
            path = root / image_folder / row["path_to_image"].replace(".jpg", ".png")
            if "patient8/" in row["path_to_image"]:
                path.parent.mkdir(parents=True)
                path.write_bytes(b"\x89PNG\r\n\x1a\nbroken")
            elif "patient7/" not in row["path_to_image"]:
                write_film(path)
        return root

    return write
