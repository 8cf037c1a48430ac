"""A training with gates, dropout, calibrated hints, retrieved words and oversampling; what its run holds and loses."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from llmrg.artefacts import read_manifest
from llmrg.config import load_config
from llmrg.evidence.hint_calibration import fit_platt
from llmrg.studies.dataset import collate_studies, read_films
from llmrg.studies.reading import read_studies
from llmrg.systems.export import export_run
from llmrg.systems.removal import remove_patients
from llmrg.systems.run import open_run
from llmrg.training.material import read_material
from llmrg.training.run import train
from llmrg.training.settings import TrainConfig

OPTIONS = (
    "system.evidence.gates=true",
    "system.evidence.diagnosis_hints={calibrate: true, threshold: null, sure: 0.9}",
    "system.evidence.retrieved_context={candidates: 6, positives: 2, negatives: 1, sentences: 2, threshold: 0.05}",
    "training.source_dropout={diagnosis_hints: 0.5, retrieved_context: 0.2}",
    "training.oversampling={times: 3}",
    "training.epochs=1",
    "training.evaluations=1",
    "decoding.max_new_tokens=8",
)


@dataclass(frozen=True)
class Trained:
    """The run and its configuration."""

    run: Path
    config: TrainConfig


@pytest.fixture(scope="module")
def trained(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("strong")
    shutil.copytree(tiny_run.artefacts, folder / "artefacts")
    config = load_config(
        TrainConfig, tiny_run.config, [f"out={folder / 'run'}", f"artefacts={folder / 'artefacts'}", *OPTIONS]
    )
    return Trained(train(config), config)


def test_the_card_shows_the_gates_and_the_run_holds_them(trained: Trained) -> None:
    card = (trained.run / "README.md").read_text(encoding="utf-8")
    row = next(line for line in card.splitlines() if line.startswith("| gates |"))
    system = open_run(trained.run, device="cpu").system
    assert system.gates is not None
    values = system.gates.values()
    assert list(values) == ["patches", "disease_queries", "visual_memory", "report_memory", "retrieved_context"]
    assert all(f"{kind} {value:.2f}" in row for kind, value in values.items())
    assert len({round(value, 6) for value in values.values()}) > 1, "training moves them"


def test_hints_are_calibrated_on_training_studies_alone(trained: Trained) -> None:
    system = open_run(trained.run, device="cpu").system
    material = read_material(trained.config.data)
    dataset = material.dataset(material.training)
    samples = [dataset[row] for row in range(len(dataset))]
    found = system.encoder.encode([collate_studies(samples)])["probabilities"][..., 0]
    present, observed = (torch.stack([extras[name] for _, _, extras in samples]) for name in ("present", "observed"))
    scale, shift = fit_platt(found, present, observed)
    weights = load_file(trained.run / "model.safetensors")
    prefix = "sources.diagnosis_hints.calibration"
    assert torch.allclose(weights[f"{prefix}.scale"], scale, atol=1e-3)
    assert torch.allclose(weights[f"{prefix}.shift"], shift, atol=1e-3)
    assert 0.1 <= float(weights[f"{prefix}.named_from"]) <= 0.5


def test_retrieved_words_are_those_of_other_training_patients(trained: Trained) -> None:
    opened = open_run(trained.run, device="cpu")
    data = opened.config.data
    studies = {study.id: study for study in read_studies(data)}
    asked = [study for study in studies.values() if study.split == "train"][:6]
    batch = collate_studies([(study, read_films(study, data), {}) for study in asked])
    told = 0
    for study, report in zip(
        asked, opened.system.generate(batch, opened.config.decoding, with_records=True), strict=True
    ):
        record = next(record for record in report.records if record["kind"] == "retrieved_context")
        assert "gate" in record
        for item in record["words"]:
            source = studies[item["study_id"]]
            assert source.split == "train"
            assert source.patient_id != study.patient_id
            assert item["sentence"] in source.report(data.target)
            told += 1
    assert told > 0


def test_the_run_says_that_the_index_holds_sentences(trained: Trained, tiny_run: Any) -> None:
    index = trained.run / "artefacts" / "index"
    assert read_manifest(index).contains_patient_text
    assert not read_manifest(tiny_run.run / "artefacts" / "index").contains_patient_text
    assert not (tiny_run.run / "artefacts" / "index" / "sentences.jsonl").exists()
    data = read_manifest(trained.run).details["patient_data"]
    assert next(part for part in data if part["where"] == "artefacts/index")["text"] is True
    rows = (index / "sentences.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 42
    reports = [study.report(trained.config.data.target) for study in read_studies(trained.config.data).split("train")]
    for row in rows:
        for text, findings in json.loads(row)["sentences"]:
            assert findings
            assert any(text in report for report in reports)


def test_an_export_without_data_holds_no_sentence(trained: Trained, tmp_path: Path) -> None:
    rows = (trained.run / "artefacts" / "index" / "sentences.jsonl").read_text(encoding="utf-8").splitlines()
    done = export_run(trained.run, tmp_path / "out", without_data=True)
    content = b"\0".join(path.read_bytes() for path in sorted(done.directory.rglob("*")) if path.is_file())
    texts = {text for row in rows for text, _ in json.loads(row)["sentences"] if len(text) >= 8}
    assert texts
    assert not [text for text in texts if text.encode() in content]
    system = open_run(done.directory, device="cpu").system
    assert "retrieved_context" not in system.sources
    assert system.gates is not None
    assert "retrieved_context" not in system.gates.values()


def test_a_removed_patient_takes_the_sentences_along(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.run, tmp_path / "run")
    studies = read_studies(trained.config.data).split("train")
    patient = next(study.patient_id for study in studies)
    gone = sum(study.patient_id == patient for study in studies)
    remove_patients(tmp_path / "run", [patient])
    rows = (tmp_path / "run" / "artefacts" / "index" / "sentences.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 42 - gone
    open_run(tmp_path / "run", device="cpu")
