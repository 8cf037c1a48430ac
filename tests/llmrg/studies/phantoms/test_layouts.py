"""Each layout is that of the real dataset."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llmrg.errors import UserError
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.phantoms.dataset import draw_dataset
from llmrg.studies.phantoms.layouts.chexpert_plus import labels_of
from llmrg.studies.phantoms.layouts.layout import shares
from llmrg.studies.phantoms.layouts.registry import get_layout, layout_names
from llmrg.studies.phantoms.truth import FindingTruth, PhantomTruth, read_truth
from llmrg.studies.splits import split_of

# The header of the release, as published.
_HEADER = (
    "path_to_image,path_to_dcm,frontal_lateral,ap_pa,deid_patient_id,patient_report_date_order,report,section_narrative,"
    "section_clinical_history,section_history,section_comparison,section_technique,section_procedure_comments,"
    "section_findings,section_impression,section_end_of_impression,section_summary,section_accession_number,age,sex,race,"
    "ethnicity,interpreter_needed,insurance_type,recent_bmi,deceased,split"
)


def _draw(tmp_path: Path, format: str, studies: int) -> Path:
    out = tmp_path / "data"
    return draw_dataset(out, format=format, studies=studies, seed=1, size=32, preset="easy", workers=1)


def test_ped_xray(tmp_path: Path) -> None:
    root = _draw(tmp_path, "ped-xray", 20)
    annotation = json.loads((root / "annotation.json").read_text(encoding="utf-8"))
    assert {split: len(items) for split, items in annotation.items()} == {"train": 14, "val": 2, "test": 4}
    for item in (item for items in annotation.values() for item in items):
        assert set(item) == {"id", "report", "image_path"}
        number = item["id"]
        assert item["image_path"] == [f"image{number}/IMG-{view}-00001.jpg" for view in ("0001", "0002")]
        assert all((root / "images" / path).is_file() for path in item["image_path"])
        assert re.search(r"[\u4e00-\u9fff]", item["report"])
    truths = read_truth(root).values()
    assert all(1 <= truth.age <= 12 and truth.age_group == "paediatric" for truth in truths)
    assert len({truth.patient_id for truth in truths}) == 20


def test_chexpert_plus(tmp_path: Path) -> None:
    root = _draw(tmp_path, "chexpert-plus", 60)
    text = (root / "df_chexpert_plus_240401.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == _HEADER
    rows = list(csv.DictReader(text.splitlines(keepends=True)))
    assert len(rows) == 120
    truths = read_truth(root)
    for row in rows:
        name = row["path_to_image"]
        match = re.fullmatch(r"(train|valid)/((patient\d{5})/study\d)/view\d_(frontal|lateral)\.jpg", name)
        assert match and row["split"] == match[1] and row["deid_patient_id"] == match[3]
        path = root / "PNG" / name.replace(".jpg", ".png")
        with Image.open(path) as film:
            assert film.format == "PNG" and film.mode == "L"
        assert not (root / name).exists()
        truth = truths[match[2]]
        assert truth.split == ("valid" if match[1] == "valid" else split_of(match[3]))
        assert (row["ap_pa"] in ("AP", "PA")) == (row["frontal_lateral"] == "Frontal")
        assert float(row["age"]) == truth.age and row["sex"].lower() == truth.sex
        assert row["section_findings"] and row["section_impression"]
    assert any(not row["section_comparison"] for row in rows) and any(row["section_comparison"] for row in rows)
    shouted = [row["section_impression"] for row in rows if row["section_impression"].isupper()]
    assert any(re.match(r"1\. [A-Z]", part) for part in shouted) and any("\n\n2. " in part for part in shouted)
    assert max(Counter(truth.patient_id for truth in truths.values()).values()) > 1
    for section in ("findings", "impression", "report"):
        lines = (root / "chexbert_labels" / f"{section}_fixed.json").read_text(encoding="utf-8").splitlines()
        labels = [json.loads(line) for line in lines]
        assert [item["path_to_image"] for item in labels] == [row["path_to_image"] for row in rows]
        assert all(tuple(item)[1:] == get_vocabulary("chexpert14").names for item in labels)
        assert {value for item in labels for name, value in item.items() if name != "path_to_image"} <= {1.0, 0.0, None}


def test_chexpert_labels_follow_truth_and_text() -> None:
    def truth(*observations: str) -> PhantomTruth:
        findings: Any = tuple(FindingTruth(observation=name) for name in observations)
        return PhantomTruth(
            study_id="a", patient_id="a", split="train", age_group="adult", age=60, sex="male", findings=findings
        )

    labels = labels_of(truth("pleural_effusion"), "Small left pleural effusion. No pneumothorax.")
    assert {name: value for name, value in labels.items() if value is not None} == {
        "Pleural Effusion": 1.0,
        "Pneumothorax": 0.0,
    }
    assert labels_of(truth("support_device"), "Tube in place.")["No Finding"] == 1.0
    assert labels_of(truth("increased_lung_markings"), "Coarse markings.")["No Finding"] is None


def test_iu_xray(tmp_path: Path) -> None:
    root = _draw(tmp_path, "iu-xray", 6)
    annotation = json.loads((root / "annotation.json").read_text(encoding="utf-8"))
    item = annotation["train"][0]
    assert set(item) == {"id", "report", "image_path", "split", "tag"}
    assert item["image_path"] == [f"{item['id']}/0.png", f"{item['id']}/1.png"]
    assert re.fullmatch(r"CXR\d+_IM-\d{4}", item["id"])
    assert (root / "images" / item["image_path"][1]).is_file()
    rows = list(csv.DictReader((root / "indiana_projections.csv").read_text(encoding="utf-8").splitlines()))
    assert Counter(row["projection"] for row in rows) == {"Frontal": 6, "Lateral": 6}
    assert all(re.fullmatch(rf"{row['uid']}_IM-\d{{4}}-[12]001\.dcm\.png", row["filename"]) for row in rows)


def test_cn_cxr(tmp_path: Path) -> None:
    root = _draw(tmp_path, "cn-cxr", 20)
    annotation = json.loads((root / "annotation.json").read_text(encoding="utf-8"))
    truths = read_truth(root)
    for split, items in annotation.items():
        for item in items:
            truth = truths[item["id"]]
            assert (truth.split, truth.patient_id) == (split, item["patient_id"])
            assert item["age"] == f"{truth.age:.0f}岁"
            assert item["sex"] == {"female": "女", "male": "男"}[truth.sex]
            assert all((root / "images" / path).is_file() for path in item["image_path"])
            assert all(re.search(r"[\u4e00-\u9fff]", item[key]) for key in ("image_finding", "impressions"))


def test_mimic_cxr(tmp_path: Path) -> None:
    root = _draw(tmp_path, "mimic-cxr", 12)
    annotation = json.loads((root / "annotation.json").read_text(encoding="utf-8"))
    for split, items in annotation.items():
        for item in items:
            assert item["split"] == split
            for path in item["image_path"]:
                pattern = rf"p10/p{item['subject_id']}/s{item['study_id']}/[0-9a-f]{{8}}(-[0-9a-f]{{8}}){{4}}\.jpg"
                assert re.fullmatch(pattern, path)
                assert (root / "images" / path).is_file()
    rows = list(csv.DictReader((root / "mimic-cxr-2.0.0-metadata.csv").read_text(encoding="utf-8").splitlines()))
    assert Counter(row["ViewPosition"] for row in rows) == {"PA": 12, "LATERAL": 12}
    listed = {Path(path).stem for items in annotation.values() for item in items for path in item["image_path"]}
    assert {row["dicom_id"] for row in rows} == listed


@pytest.mark.parametrize("format", layout_names())
@pytest.mark.parametrize("studies", [1, 2, 3, 57])
def test_splits_are_patient_disjoint_and_ids_unique(format: str, studies: int) -> None:
    slots = get_layout(format).plan(studies, seed=4)
    assert [slot.index for slot in slots] == list(range(studies))
    assert len({slot.study_id for slot in slots}) == studies
    assert len({path for slot in slots for path in slot.films.values()}) == 2 * studies
    pairs = {(slot.patient_id, slot.split) for slot in slots}
    assert len(pairs) == len({slot.patient for slot in slots}) == len({patient for patient, _ in pairs})


def test_shares_are_seven_to_one_to_two() -> None:
    assert Counter(shares(1000, seed=0)) == {"train": 700, "val": 100, "test": 200}
    assert set(shares(3, seed=0)) == {"train", "val", "test"}
    assert shares(50, seed=1) != shares(50, seed=2)
    assert np.mean([split == "test" for split in shares(1000, seed=3)[:300]]) == pytest.approx(0.2, abs=0.08)


def test_an_unknown_layout_names_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean 'iu-xray'"):
        get_layout("iu_xray")
