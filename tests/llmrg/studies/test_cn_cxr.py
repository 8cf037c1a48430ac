from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmrg.errors import UserError
from llmrg.studies.reading import read_studies
from llmrg.studies.settings import DataConfig


def _config(root: Path, **changes: Any) -> DataConfig:
    return DataConfig(**{"format": "cn-cxr", "root": root, "language": "zh", "vocabulary": "ped_xray", **changes})


def _write(root: Path, records: list[dict[str, Any]], *, split: str = "train") -> Path:
    for record in records:
        for name in record["image_path"]:
            (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
            (root / "images" / name).write_bytes(b"x")
    (root / "annotation.json").write_text(json.dumps({split: records}, ensure_ascii=False), encoding="utf-8-sig")
    return root


def test_findings_impression_and_context(tmp_path: Path) -> None:
    record = {
        "id": 7,
        "patient_id": "甲",
        "image_path": ["a/侧位.png", "a/1.png"],
        "image_finding": " 双肺纹理增多。\r\n",
        "impressions": "支气管炎",
        "age": "6岁",
        "sex": "男",
        "indication": "咳嗽",
        "view": ["侧位", "正位"],
    }
    (study,) = read_studies(_config(_write(tmp_path, [record])))
    assert (study.id, study.patient_id, study.split, study.language) == ("7", "甲", "train", "zh")
    assert dict(study.sections) == {"findings": "双肺纹理增多。", "impression": "支气管炎"}
    assert (study.context.age, study.context.sex, study.context.indication) == (6.0, "male", "咳嗽")
    assert [(image.path.name, image.view) for image in study.images] == [("1.png", "frontal"), ("侧位.png", "lateral")]
    config = _config(tmp_path, target=("findings", "impression"))
    assert read_studies(config).reports(config.target) == ["双肺纹理增多。支气管炎"]


@pytest.mark.parametrize("key", ["image_finding", "findings", "report"])
def test_other_keys(tmp_path: Path, key: str) -> None:
    (study,) = read_studies(_config(_write(tmp_path, [{"id": "1", "image_path": ["a.png"], key: "正常。"}])))
    assert dict(study.sections) == {"findings": "正常。"}


def test_a_wrong_key_names_the_nearest(tmp_path: Path) -> None:
    root = _write(tmp_path, [{"id": "1", "image_path": ["a.png"], "image_findings": "正常。"}])
    with pytest.raises(UserError, match="Did you mean 'image_finding'"):
        read_studies(_config(root))
    with pytest.raises(UserError, match="no section 'history'"):
        read_studies(_config(root, target=("history",)))


def test_reports_that_are_no_text_and_unusual_splits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    records = [{"id": str(n), "image_path": [f"{n}.png"], "findings": "正常。"} for n in range(3)]
    records[1]["findings"] = {"text": "正常。"}
    records[2]["findings"] = "正常\0。"
    table = read_studies(_config(_write(tmp_path, records, split="trian"), max_bad_fraction=1))
    assert table.ids == ("0",)
    assert [(error.study_id, error.reason) for error in table.bad] == [
        ("1", "its report is not text"),
        ("2", "a text of it holds a NUL character"),
    ]
    assert "unusual name 'trian'" in caplog.text
