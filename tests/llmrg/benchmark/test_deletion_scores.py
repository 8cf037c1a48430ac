"""The deletion test: reports generated without a source, and what is made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmrg.benchmark.deletion_scores import deletion_scores, reports_without
from llmrg.benchmark.evidence_settings import DeletionSettings
from llmrg.benchmark.pointing_scores import Resampling
from llmrg.benchmark.predictions import Prediction
from llmrg.benchmark.references import References
from llmrg.errors import UserError
from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.studies.reading import read_studies
from llmrg.studies.study import Study

VOCABULARY = get_vocabulary("ped_xray")
LABELER = get_labeler(VOCABULARY, "zh")
EFFUSION, NODULE, NORMAL = "左侧胸腔积液。", "右肺结节影。", "心影大小正常。"


def evidence(*retrieved: str, likely: Mapping[str, float]) -> tuple[dict[str, Any], ...]:
    return (
        {"kind": "disease_queries", "items": [{"finding": k, "probability": v} for k, v in likely.items()]},
        {"kind": "retrieved_context", "items": [{"study_id": name, "role": "positive"} for name in retrieved]},
    )


def write(path: Path, reports: Mapping[str, str]) -> Path:
    lines = [json.dumps({"id": id_, "report": report}, ensure_ascii=False) for id_, report in reports.items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_by_hand(tmp_path: Path) -> None:
    """Without the queries the effusion goes; without the retrieved study nothing that it speaks for changes."""
    predictions = [
        Prediction(id="0", report=NORMAL, evidence=evidence(likely={})),
        Prediction(
            id="1",
            report=EFFUSION + NODULE + NORMAL,
            evidence=evidence("train-1", likely={"pleural_effusion": 0.9, "nodule": 0.1}),
        ),
        Prediction(id="2", report=EFFUSION + NORMAL, evidence=evidence(likely={"pleural_effusion": 0.8})),
    ]
    texts = (NORMAL, EFFUSION + NODULE, EFFUSION)
    truth = tuple(LABELER.label(text) for text in texts)
    studies = tuple(Study(id=str(n), patient_id=str(n), images=(), split="test", language="zh") for n in range(3))
    files = {
        "disease_queries": write(
            tmp_path / "q.jsonl", {"1": NODULE + NORMAL, "2": EFFUSION + NORMAL, "unscored": NORMAL}
        ),
        "retrieved_context": write(tmp_path / "r.jsonl", {"1": NODULE, "2": EFFUSION + NORMAL, "unscored": NORMAL}),
    }
    found = deletion_scores(
        predictions,
        files,
        References(studies, texts, truth, truth, None),
        VOCABULARY,
        language="zh",
        read=LABELER.label,
        stated_by=lambda study: ("nodule",) if study == "train-1" else (),
        chosen=[1, 2],
        known={"1", "2", "unscored"},
        resampling=Resampling(patients=["0", "1", "2"], resamples=30, seed=0),
    )
    json.dumps(found, allow_nan=False)
    assert found["studies"] == 2
    queries, retrieved = found["sources"]
    # Of two effusions one is gone; the nodule and two normal hearts stay.
    assert (queries["source"], queries["n"], queries["n_others"]) == ("disease_queries", 2, 3)
    assert (queries["resting"], queries["others"], queries["faithfulness"]) == (0.5, 0.0, 0.5)
    assert queries["positive_others"] == 0.0
    # True: effusion, nodule, effusion; without the queries the first is missed.
    assert (queries["f1"], queries["f1_without"]) == (1.0, pytest.approx(0.8))
    assert queries["f1_lost"] == pytest.approx(0.2)
    assert queries["f1_lost_interval"][0] <= queries["f1_lost"] <= queries["f1_lost_interval"][1]
    # The nodule stands; one effusion, which does not rest on the retrieved study, is gone.
    assert (retrieved["n"], retrieved["resting"], retrieved["n_others"]) == (1, 0.0, 4)
    assert retrieved["others"] == pytest.approx(1 / 4)
    assert retrieved["positive_others"] == pytest.approx(1 / 2)


def test_reports_of_the_first_studies_without_each_source(tiny_run: Any, tiny_loaded: Any, tmp_path: Path) -> None:
    data = tiny_loaded.config.data
    folder = tmp_path / "without"
    settings = DeletionSettings(sources=("retrieved_context", "patches"), studies=3)
    files = reports_without(tiny_run.run, data, "test", folder, settings)
    assert list(files) == ["patches", "retrieved_context"]  # in the system's order
    first = [study.id for study in read_studies(data).split("test")][:3]
    for source, path in files.items():
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert [record["id"] for record in records] == first
        assert all(record["without"] == [source] for record in records)
    changed = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    reports_without(tiny_run.run, data, "test", folder, settings)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == changed  # finished work is kept
    with pytest.raises(UserError, match="retrieved_context"):
        reports_without(tiny_run.run, data, "test", folder, DeletionSettings(sources=("retrieval",)))
