from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmrg.errors import UserError
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig

# In the form of the published files; no real report.
CHEXPERT: dict[str, Any] = {
    "patient90001_study1": {
        "image_path": ["valid/patient90001/study1/view1_frontal.png"],
        "report": "Findings: None. Impression: Clear.",
        "context": "Age:77.0.Gender:F.Indication:nanComparison: None.",
        "section_clinical_history": float("nan"),
        "section_findings": float("nan"),
        "section_impression": "\nCLEAR.\n",
        "frontal_lateral": ["Frontal"],
        "age": 77.0,
        "sex": "Female",
        "key_image_path": "valid/patient90001/study1/view1_frontal.png",
    }
}
MIMIC: dict[str, Any] = {
    "50000001": {
        "image_path": ["/p10/p10000001/s50000001/a.jpg", "/p10/p10000001/s50000001/b.jpg"],
        "section_findings": "No pneumothorax.",
        "section_impression": "Normal.",
        "frontal_lateral": ["left lateral", "antero-posterior"],
        "split": "test",
        "subject_id": 10000001,
        "context": "Age:50-60.Gender:M.Indication: ___ year old man.  Cough.Comparison: None.",
    }
}
IU: dict[str, Any] = {
    "CXR2_IM-0652": {
        "image_path": ["CXR2_IM-0652/0.png", "CXR2_IM-0652/1.png"],
        "section_findings": "Clear.",
        "section_impression": "Normal.",
        "split": "val",
        "frontal_lateral": ["Frontal", "Lateral", "Frontal"],
        "context": "Indication: Cough Comparison: None",
    }
}


def _write(root: Path, name: str, records: dict[str, Any]) -> Path:
    for record in records.values():
        for film in record["image_path"]:
            path = root / "images" / film.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
    (root / name).write_text(json.dumps(records), encoding="utf-8")
    return root


def _config(root: Path, **changes: Any) -> DataConfig:
    return DataConfig(
        **{
            "format": "rexrank",
            "root": root,
            "language": "en",
            "vocabulary": "chexpert14",
            "target": ("findings", "impression"),
            **changes,
        }
    )


def test_the_three_files(tmp_path: Path) -> None:
    (study,) = read_studies(_config(_write(tmp_path / "c", "ReXRank_CheXpertPlus.json", CHEXPERT)))
    assert (study.id, study.patient_id, study.split) == ("patient90001_study1", "patient90001", "test")
    assert (dict(study.sections), study.context.age, study.context.sex) == ({"impression": "CLEAR."}, 77.0, "female")
    assert study.context.indication is None
    (study,) = read_studies(_config(_write(tmp_path / "m", "ReXRank_MIMICCXR_test.json", MIMIC)))
    assert (study.patient_id, study.context.age, study.context.sex) == ("10000001", None, "male")
    assert study.context.indication == "___ year old man.  Cough."
    assert [(image.path.name, image.view) for image in study.images] == [("b.jpg", "frontal"), ("a.jpg", "lateral")]
    (study,) = read_studies(_config(_write(tmp_path / "i", "ReXRank_IUXray_valid.json", IU)))
    assert (study.patient_id, study.split, study.report(("findings", "impression"))) == (
        "CXR2",
        "val",
        "Clear. Normal.",
    )
    assert [image.view for image in study.images] == ["unknown", "unknown"]  # three views for two films


def test_studies_without_the_section_are_kept_on_request(tmp_path: Path) -> None:
    root = _write(tmp_path, "ReXRank_CheXpertPlus.json", CHEXPERT)
    with pytest.raises(UserError, match="1 with no findings section"):
        read_studies(_config(root, target=("findings",)))
    assert len(read_studies(_config(root, target=("findings",), keep_without_report=True))) == 1


def test_which_file_is_meant(tmp_path: Path) -> None:
    root = _write(tmp_path, "ReXRank_CheXpertPlus.json", CHEXPERT)
    _write(root, "ReXRank_IUXray_valid.json", IU)
    with pytest.raises(UserError, match=r"several JSON files.*set annotation"):
        read_studies(_config(root))
    assert len(read_studies(_config(root, annotation=Path("ReXRank_IUXray_valid.json")))) == 1
    (root / "annotation.json").write_text('{"train": []}', encoding="utf-8")
    with pytest.raises(UserError, match=r"not a ReXrank file.*format"):
        read_studies(_config(root, annotation=Path("annotation.json")))


@pytest.mark.parametrize("path", ["//etc/passwd", "/../x.png", "C:/x.png", "/~/x.png", "/etc/passwd"])
def test_a_leading_slash_means_the_folder_of_films(tmp_path: Path, path: str) -> None:
    root = _write(tmp_path, "a.json", MIMIC)
    record = {**MIMIC["50000001"], "image_path": [path]}
    (root / "a.json").write_text(json.dumps(MIMIC | {"5": record}), encoding="utf-8")
    (error,) = read_studies(_config(root)).bad
    assert error.study_id == "5"


def test_a_missing_key_names_the_nearest(tmp_path: Path) -> None:
    record = dict(IU["CXR2_IM-0652"])
    record["section_finding"] = record.pop("section_findings")
    root = _write(tmp_path, "a.json", {"CXR2_IM-0652": record})
    with pytest.raises(UserError, match="rename 'section_finding' to 'section_findings'"):
        read_studies(_config(root))
