from __future__ import annotations

import logging
from pathlib import Path

import pytest

from llmrg.studies.settings import DataConfig
from llmrg.training.material import read_material
from llmrg.training.one_class import warn_of_one_class_labels

NORMAL = "The lungs are clear. The heart size is normal."
SENTENCES = {"effusion": "There is a right pleural effusion.", "oedema": "There is pulmonary edema."}


def material(root: Path, reports: list[str]):  # type: ignore[no-untyped-def]
    from PIL import Image

    lines = ["image,study_id,patient_id,split,findings"]
    for number, report in enumerate(reports):
        Image.new("L", (32, 32), 10 * number).save(root / f"{number}.png")
        split = "val" if number == len(reports) - 1 else "train"
        lines.append(f'{number}.png,s{number},p{number},{split},"{report}"')
    (root / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_material(DataConfig(format="table", root=root, language="en", vocabulary="chexpert14", image_size=32))


def test_no_finding_at_all_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counts = warn_of_one_class_labels(material(tmp_path, [NORMAL] * 5), seed=0)
    assert set(counts.values()) == {0}
    assert "None of 4 training reports states a finding" in caplog.text
    assert "chexpert14" in caplog.text


def test_findings_never_and_always_stated_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reports = [SENTENCES["effusion"], f"{SENTENCES['effusion']} {SENTENCES['oedema']}", SENTENCES["effusion"], NORMAL]
    with caplog.at_level(logging.WARNING):
        counts = warn_of_one_class_labels(material(tmp_path, reports), seed=0)
    assert counts["Pleural Effusion"] == 3
    assert counts["Edema"] == 1
    never, always = (record.getMessage() for record in caplog.records[-2:])
    assert "Fracture" in never and "Edema" not in never and "Pleural Effusion" not in never
    assert always == "Stated by every training report, and not learnt: Pleural Effusion"


def test_both_classes_are_no_matter(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reports = [SENTENCES["effusion"], NORMAL, NORMAL]
    warn_of_one_class_labels(material(tmp_path, reports), seed=0)
    assert "Stated by every" not in caplog.text
