"""The line of a report: confidence, findings, folders of pictures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llmrg.findings.mention import Mention
from llmrg.generation.records import confidence, prediction_record
from llmrg.generation.writing import Written
from llmrg.studies.study import Image, Study
from llmrg.systems.report import GeneratedReport


def written(study_id: str = "s1", probabilities: tuple[float, ...] = (0.9, 0.2), **options: Any) -> Written:
    items = [
        {"finding": f"finding {n}", "probability": p, "side": None, "picture": None}
        for n, p in enumerate(probabilities)
    ]
    report = GeneratedReport(
        study_id=study_id,
        text="Right effusion.",
        log_probabilities=[math.log(0.5), math.log(0.25)],
        finished=True,
        findings={"Effusion": Mention(finding="Effusion", polarity="positive", side="right", severity="mild")},
        records=[{"kind": "disease_queries", "items": items}, {"kind": "patches", "items": []}],
        maps={"attention": torch.rand(len(probabilities), 2, 3, 3)},
        **options,
    )
    study = Study(
        id=study_id, patient_id="p", images=(Image(path=Path("a.png")),), split="test", language="en", sections={}
    )
    return Written(study=study, report=report, films=[np.zeros((16, 16), dtype=np.uint8)])


def test_confidence_is_the_mean_probability() -> None:
    report = written().report
    assert report is not None
    assert confidence(report) == pytest.approx((0.5 + 0.25) / 2)
    empty = GeneratedReport(study_id="x", text="", log_probabilities=[], finished=True, findings={})
    assert confidence(empty) == 0.0


def test_record_without_pictures() -> None:
    record = prediction_record(written(), language="en")
    assert record["confidence"] == 0.375
    assert record["findings"] == {"Effusion": {"polarity": "positive", "side": "right", "severity": "mild"}}
    assert [item["picture"] for item in record["evidence"][0]["items"]] == [None, None]
    assert json.loads(json.dumps(record)) == record


def test_a_study_without_report_has_no_record() -> None:
    study = written().study
    with pytest.raises(ValueError, match="no report"):
        prediction_record(Written(study=study), language="en")


def test_the_report_is_left_as_it_is(tmp_path: Path) -> None:
    one = written()
    before = json.dumps(one.report.records)  # type: ignore[union-attr, arg-type]
    record = prediction_record(one, language="en", evidence=tmp_path / "evidence", relative_to=tmp_path)
    assert record["evidence"][0]["items"][0]["picture"] == "evidence/s1/finding_0.png"
    assert record["evidence"][0]["items"][1]["picture"] is None
    assert json.dumps(one.report.records) == before  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize(
    "ids",
    [("a/b", "a_b", "a\\b", "a b"), ("..", ".", "../x", "/etc"), ("检查一", "检查二"), ("x" * 300, "x" * 301)],
    ids=["separators", "dots", "Chinese", "long"],
)
def test_studies_never_share_a_folder_nor_leave_it(tmp_path: Path, ids: tuple[str, ...]) -> None:
    places = []
    for study_id in ids:
        record = prediction_record(written(study_id), language="en", evidence=tmp_path / "e", relative_to=tmp_path)
        picture = record["evidence"][0]["items"][0]["picture"]
        path = (tmp_path / picture).resolve()
        assert path.is_file()
        assert path.parent.parent == (tmp_path / "e").resolve()
        places.append(picture)
    assert len(set(places)) == len(ids)
