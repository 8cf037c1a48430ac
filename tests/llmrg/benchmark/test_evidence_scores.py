"""The evidence of a row: everything for a run of ours, what can be had for others, and notes of the rest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmrg.benchmark.evidence_scores import EvidenceScorer
from llmrg.benchmark.evidence_settings import DeletionSettings, EvidenceSettings
from llmrg.benchmark.predictions import Prediction, read_predictions
from llmrg.benchmark.references import References, build_references
from llmrg.findings.labeler import get_labeler
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.generation.dataset import generate_dataset
from llmrg.studies.reading import read_studies

VOCABULARY = get_vocabulary("ped_xray")


@pytest.fixture(scope="module")
def references(tiny_run: Any, tiny_loaded: Any) -> References:
    data = tiny_loaded.config.data
    return build_references(
        read_studies(data).split("test"),
        target=data.target,
        labeler=get_labeler(VOCABULARY, "zh"),
        vocabulary=VOCABULARY,
        truth_root=tiny_run.data,
    )


@pytest.fixture(scope="module")
def predictions(tiny_loaded: Any, references: References, tmp_path_factory: pytest.TempPathFactory) -> list[Prediction]:
    path = tmp_path_factory.mktemp("predictions") / "test.jsonl"
    generate_dataset(tiny_loaded, tiny_loaded.config.data, "test", path, maps=True)
    found = read_predictions(path, required=references.ids)
    return [found[id_] for id_ in references.ids]


def scorer(tiny_loaded: Any, references: References, **changes: Any) -> EvidenceScorer:
    data = tiny_loaded.config.data
    table = read_studies(data)
    return EvidenceScorer(
        references,
        data=data,
        studies=table.split("test"),
        split="test",
        vocabulary=VOCABULARY,
        read=get_labeler(VOCABULARY, "zh").label,
        training={study.id: study.report(data.target) for study in table.split("train")},
        settings=EvidenceSettings(**changes),
        resamples=20,
        seed=0,
    )


def test_a_run_of_ours_has_it_all(
    tiny_run: Any, tiny_loaded: Any, references: References, predictions: list[Prediction], tmp_path: Path
) -> None:
    settings = DeletionSettings(sources=("diagnosis_hints",), studies=4)
    one = scorer(tiny_loaded, references, deletion=settings)
    found = one.score(predictions, run=tiny_run.run, folder=tmp_path / "without")
    json.dumps(found, allow_nan=False)
    assert set(found) == {"pointing", "overlap", "calibration", "deletion"}
    boxes = sum(
        len(finding.boxes)
        for truth in references.truths or ()
        for finding in truth.findings
        if any(finding.observation == known.observation for known in VOCABULARY.abnormal)
    )
    assert found["pointing"]["n"] == boxes
    assert found["calibration"]["n"] == len(predictions)
    assert found["calibration"]["queries"]["n"] == len(predictions) * len(VOCABULARY.abnormal)
    assert found["deletion"]["studies"] == 4
    assert [line["source"] for line in found["deletion"]["sources"]] == ["diagnosis_hints"]


def test_others_have_what_their_files_carry(
    tiny_loaded: Any, references: References, predictions: list[Prediction]
) -> None:
    bare = [Prediction(id=prediction.id, report=prediction.report) for prediction in predictions]
    deletion = DeletionSettings(sources="all")
    found = scorer(tiny_loaded, references, deletion=deletion).score(bare)
    assert set(found) == {"notes"}
    assert [note.split(":")[0] for note in found["notes"]] == ["pointing", "calibration", "deletion"]
    confident = [replace(prediction, confidence=0.5) for prediction in bare]
    found = scorer(tiny_loaded, references).score(confident)
    assert set(found) == {"calibration", "notes"}
    assert scorer(tiny_loaded, references, pointing=False, calibration=False).score(predictions) == {}


def test_real_films_have_no_boxes_and_lack_nothing(
    tiny_loaded: Any, references: References, predictions: list[Prediction]
) -> None:
    found = scorer(tiny_loaded, replace(references, truths=None)).score(predictions)
    assert set(found) == {"calibration"}


def test_drawn_films_without_a_finding_have_no_box(
    tiny_loaded: Any, references: References, predictions: list[Prediction]
) -> None:
    healthy = tuple(replace(truth, findings=()) for truth in references.truths or ())
    found = scorer(tiny_loaded, replace(references, truths=healthy)).score(predictions)
    assert set(found) == {"calibration", "notes"}
    assert "no true finding has a box" in found["notes"][0]
