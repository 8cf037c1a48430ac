"""Stages: what fits is used again, what rests on something changed is built anew; what banks and index hold."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from llmrg.artefacts import COMPLETE
from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.evidence.encoder import load_encoder
from llmrg.language.text_encoder import TextEncoder
from llmrg.studies.dataset import collate_studies
from llmrg.training.material import TrainingMaterial, read_material
from llmrg.training.settings import STAGES, TrainConfig
from llmrg.training.stages import NORMAL, StageBuilder

ALL = tuple(stage for stage in STAGES if stage not in ("activation_maps", "context"))  # the tiny run needs neither
AFTER = ("memory", "index")


@pytest.fixture(scope="module")
def material(tiny_run: Any) -> TrainingMaterial:
    return read_material(load_config(TrainConfig, tiny_run.config).data)


@pytest.fixture
def builder(tiny_run: Any, material: TrainingMaterial, tmp_path: Path) -> StageBuilder:
    """Over a copy of the tiny run's artefacts."""
    artefacts = shutil.copytree(tiny_run.artefacts, tmp_path / "artefacts")
    config = load_config(TrainConfig, tiny_run.config, [f"artefacts={artefacts}"])
    return StageBuilder(config=config, material=material, producer="test")


def changed(builder: StageBuilder, tiny_run: Any, *overrides: str) -> StageBuilder:
    config = load_config(TrainConfig, tiny_run.config, [f"artefacts={builder.config.artefacts}", *overrides])
    return replace(builder, config=config, material=replace(builder.material, data=config.data))


@pytest.mark.parametrize(
    ("override", "built"),
    [
        ("seed=3", ()),
        ("training.epochs=9", ()),
        ("training.learning_rate=0.5", ()),
        ("decoding.max_new_tokens=7", ()),
        ("system.language_model.lora_rank=2", ()),
        ("system.evidence.visual_memory.heads=2", ()),
        ("stages.language_model.max_steps=61", ("language_model", *AFTER)),
        ("stages.disease_classifier.epochs=3", ("disease_classifier", *AFTER)),
        ("augmentation.rotation=9", ("disease_classifier", *AFTER)),
        ("data.fit=crop", ("disease_classifier", *AFTER)),
        ("data.image_size=64", ("disease_classifier", *AFTER)),
        ("system.vision.mean=0.5", ("disease_classifier", *AFTER)),
        ("system.evidence.visual_memory.per_finding=6", ("memory",)),
        ("system.evidence.retrieved_context.candidates=7", ("index",)),
        ("stages.index.kind=hnsw", ("index",)),
        ("seed=4", ("disease_classifier", *AFTER)),
    ],
)
def test_what_a_changed_setting_rebuilds(
    builder: StageBuilder, tiny_run: Any, override: str, built: tuple[str, ...]
) -> None:
    assert changed(builder, tiny_run, override).open_stages() == built


def test_a_changed_training_report_rebuilds_everything(builder: StageBuilder, tiny_run: Any, tmp_path: Path) -> None:
    data = shutil.copytree(tiny_run.data, tmp_path / "data")
    annotation = json.loads((data / "annotation.json").read_text(encoding="utf-8"))

    def stages_after(split: str, report: str) -> tuple[str, ...]:
        records = {**annotation, split: [{**annotation[split][0], "report": report}, *annotation[split][1:]]}
        (data / "annotation.json").write_text(json.dumps(records), encoding="utf-8")
        material = read_material(replace(builder.material.data, root=data))
        return replace(builder, material=material).open_stages()

    assert stages_after("train", annotation["train"][0]["report"]) == ()
    assert stages_after("train", "双肺未见异常。") == ALL
    assert stages_after("val", "双肺未见异常。") == ()
    assert stages_after("test", "双肺未见异常。") == ()


@pytest.mark.parametrize(
    ("stage", "built"),
    [
        ("language_model", ("language_model", *AFTER)),
        ("disease_classifier", ("disease_classifier", *AFTER)),
        ("memory", ("memory",)),
        ("index", ("index",)),
    ],
)
@pytest.mark.parametrize("harm", ["unfinished", "gone", "manifest"])
def test_what_is_missing_or_broken_is_built(
    builder: StageBuilder, stage: str, built: tuple[str, ...], harm: str
) -> None:
    path = builder.path(stage)
    if harm == "unfinished":
        (path / COMPLETE).unlink()
    elif harm == "gone":
        shutil.rmtree(path)
    else:
        (path / "manifest.json").write_text("{", encoding="utf-8")
    assert builder.open_stages() == built


@pytest.mark.parametrize(("stage", "key"), [("disease_classifier", "encoder_hash"), ("language_model", "details")])
def test_another_encoder_in_the_same_place_rebuilds_what_holds_its_vectors(
    builder: StageBuilder, stage: str, key: str
) -> None:
    """As when one stage was built anew by itself."""
    path = builder.path(stage) / "manifest.json"
    manifest = json.loads(path.read_text())
    if key == "details":
        manifest["details"]["weights"] = "0" * 64
    else:
        manifest[key] = "0" * 64
    path.write_text(json.dumps(manifest))
    assert builder.open_stages() == AFTER


def test_what_fits_is_not_touched(builder: StageBuilder) -> None:
    before = {p: p.stat().st_mtime_ns for p in builder.config.artefacts_folder.rglob("*")}
    paths = builder.build_needed()
    assert set(paths.present()) == set(ALL)
    assert {p: p.stat().st_mtime_ns for p in builder.config.artefacts_folder.rglob("*")} == before


def test_memory_and_index_are_built_the_same_again(builder: StageBuilder, tiny_run: Any) -> None:
    for stage in AFTER:
        shutil.rmtree(builder.path(stage))
    builder.build_needed()
    for stage in AFTER:
        files = [path for path in (tiny_run.artefacts / stage).rglob("*") if path.is_file()]
        assert len(files) > 3
        for path in files:
            if path.name != "manifest.json":
                again = builder.path(stage) / path.relative_to(tiny_run.artefacts / stage)
                assert again.read_bytes() == path.read_bytes(), path


@pytest.mark.parametrize(
    ("stage", "missing", "message"),
    [
        ("memory", "disease_classifier", "llmrg pretrain disease-classifier"),
        ("memory", "language_model", "llmrg pretrain language-model"),
        ("index", "disease_classifier", "llmrg pretrain disease-classifier"),
        ("index", "language_model", "llmrg pretrain language-model"),
    ],
)
def test_a_stage_names_what_it_needs(builder: StageBuilder, stage: str, missing: str, message: str) -> None:
    shutil.rmtree(builder.path(missing))
    before = (builder.path(stage) / "manifest.json").read_bytes()
    with pytest.raises(UserError, match=message):
        builder.build(stage)
    assert (builder.path(stage) / "manifest.json").read_bytes() == before


def test_unknown_stage(builder: StageBuilder) -> None:
    with pytest.raises(UserError, match="Did you mean 'memory'"):
        builder.build("memry")


def test_a_system_builds_only_the_stages_it_needs(tiny_run: Any) -> None:
    def stages(*overrides: str) -> tuple[str, ...]:
        return load_config(TrainConfig, tiny_run.config, overrides).stage_names

    sources = "system.evidence.sources="
    assert stages() == ALL
    assert stages(sources + "[patches]") == ("language_model",)
    assert stages(sources + "[patches,disease_queries]") == ("language_model", "disease_classifier")
    other = "system.language_model.path=/models/llm"
    assert stages(sources + "[patches]", other) == ()
    assert stages(other) == ALL  # the embedded one encodes the reports
    assert stages(other, "stages.text_encoder.path=/models/bert") == ALL[1:]
    assert stages(other, "stages.text_encoder.path=/models/bert", sources + "[patches,disease_queries]") == (
        "disease_classifier",
    )


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def positives(material: TrainingMaterial) -> dict[str, set[str]]:
    abnormal = {finding.name for finding in material.vocabulary.abnormal}
    return {
        study.id: {
            name
            for name, mention in material.mentions[study.id].items()
            if mention.polarity == "positive" and name in abnormal
        }
        for study in material.training
    }


def encoded(tiny_run: Any, material: TrainingMaterial) -> dict[str, torch.Tensor]:
    encoder, _ = load_encoder(tiny_run.artefacts / "disease_classifier")
    dataset = material.dataset(material.training)
    return encoder.encode([collate_studies([dataset[row] for row in range(len(dataset))])])


def test_visual_memory_holds_query_tokens_of_findings_that_are_there(tiny_run: Any, material: TrainingMaterial) -> None:
    rows = read(tiny_run.artefacts / "memory" / "visual_memory.jsonl")
    vectors = load_file(tiny_run.artefacts / "memory" / "visual_memory.safetensors")["vectors"]
    tokens = encoded(tiny_run, material)["tokens"].numpy()
    names = [finding.name for finding in material.vocabulary.abnormal]
    place = {study.id: row for row, study in enumerate(material.training)}
    true = positives(material)
    for row, vector in zip(rows, vectors, strict=True):
        own = tokens[place[row["study_id"]]]
        if row["finding"] == NORMAL:
            assert not true[row["study_id"]]
            expected = own.mean(axis=0)
        else:
            assert row["finding"] in true[row["study_id"]]
            expected = own[names.index(row["finding"])]
        np.testing.assert_allclose(vector, expected, atol=1e-5)
    counts = Counter(row["finding"] for row in rows)
    wanted = Counter(name for found in true.values() for name in (found or {NORMAL}))
    assert counts == {name: min(count, 5) for name, count in wanted.items()}
    assert counts[NORMAL] == 5


def test_report_memory_holds_key_sentences(tiny_run: Any, material: TrainingMaterial) -> None:
    rows = read(tiny_run.artefacts / "memory" / "report_memory.jsonl")
    vectors = load_file(tiny_run.artefacts / "memory" / "report_memory.safetensors")["vectors"]
    encoder = TextEncoder(tiny_run.artefacts / "language_model")
    reports = {study.id: study.report() for study in material.training}
    true = positives(material)
    for row, vector in zip(rows, vectors, strict=True):
        report = reports[row["study_id"]]
        if row["finding"] == NORMAL:
            candidates = [report]
        else:
            assert row["finding"] in true[row["study_id"]]
            candidates = [sentence + "。" for sentence in report.split("。") if sentence]
        near = encoder.encode(candidates).numpy() @ vector
        assert near.max() == pytest.approx(1, abs=1e-4), row


def test_neighbours_are_the_nearest_studies_of_other_patients(tiny_run: Any, material: TrainingMaterial) -> None:
    store = load_file(tiny_run.artefacts / "index" / "context.safetensors")
    vectors = encoded(tiny_run, material)["vectors"].double().numpy()
    similar = vectors @ vectors.T
    patients = np.array([study.patient_id for study in material.training])
    similar[patients[:, None] == patients[None]] = -np.inf
    assert (np.isinf(similar).sum(axis=1) == 2).all()  # itself and the patient's other study
    expected = np.sort(similar, axis=1)[:, ::-1][:, :6]
    np.testing.assert_allclose(store["similarities"], expected, atol=1e-5)
    rows = store["neighbours"]
    assert rows.shape == (42, 6)
    assert (patients[rows] != patients[:, None]).all()
    np.testing.assert_allclose(np.take_along_axis(similar, rows, axis=1), expected, atol=1e-5)
    names = [finding.name for finding in material.vocabulary.abnormal]
    true = positives(material)
    labels = np.array([[name in true[study.id] for name in names] for study in material.training])
    assert np.array_equal(store["labels"].astype(bool), labels)
