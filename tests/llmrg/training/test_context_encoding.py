"""Systems with context residuals, trained, saved, loaded elsewhere: who serves, what is kept, what leaks nowhere."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed

import llmrg.training.run as training_run
from llmrg.artefacts import read_manifest
from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.studies.dataset import collate_studies
from llmrg.studies.reading import read_studies
from llmrg.systems.context import load_context
from llmrg.systems.export import export_run
from llmrg.systems.removal import remove_patients
from llmrg.systems.run import open_run
from llmrg.training.context_encoding import ContextEncoding
from llmrg.training.material import TrainingMaterial, read_material
from llmrg.training.run import train
from llmrg.training.settings import TrainConfig

SOURCE = "context_residuals"
SHAPES = {
    "keyword": [
        "system.setting=faithful",
        "system.tune_vision=true",
        "system.evidence.sources=[patches,context_residuals]",
    ],
    "similarity": ["system.tune_vision=true", "system.evidence.sources=[patches,disease_queries,context_residuals]"],
    "labels": ["system.tune_vision=false", "system.evidence.sources=[patches,disease_queries,context_residuals]"],
}


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished training and what its system wrote just before it was saved."""

    mode: str
    run: Path
    config: TrainConfig
    written: list[tuple[Any, ...]]


def write(system: Any, config: TrainConfig, material: TrainingMaterial, **options: Any) -> list[tuple[Any, ...]]:
    """Reports of a few studies: strangers, and two of the training split."""
    dataset = material.dataset([*list(material.validation)[:3], *list(material.training)[:2]])
    batch = collate_studies([dataset[row] for row in range(5)])
    decoding = replace(config.decoding, strategy="greedy", max_new_tokens=12, min_new_tokens=0)
    reports = system.generate(batch, decoding, with_records=True, **options)
    return [(report.text, report.log_probabilities, report.records) for report in reports]


@pytest.fixture(scope="module")
def material(tiny_run: Any) -> TrainingMaterial:
    return read_material(load_config(TrainConfig, tiny_run.config).data)


@pytest.fixture(scope="module", params=list(SHAPES))
def trained(
    request: pytest.FixtureRequest, tiny_run: Any, material: TrainingMaterial, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trained]:
    mode = request.param
    folder = tmp_path_factory.mktemp(mode)
    for name in ("language_model", "disease_classifier"):
        shutil.copytree(tiny_run.artefacts / name, folder / "artefacts" / name)
    config = load_config(
        TrainConfig,
        tiny_run.config,
        [
            f"out={folder / 'run'}",
            "system.kind=r2gencsr",
            f"system.evidence.context_residuals={{mode: {mode}, pairs: 2, reserve: 6, candidates: 6}}",
            "training.validation_studies=2",
            "training.epochs=1",
            "decoding={max_new_tokens: 8}",
            *SHAPES[mode],
        ],
    )
    written: list[tuple[Any, ...]] = []
    save = training_run.save_run

    def listening(system: Any, *args: Any, **options: Any) -> Path:
        written.extend(write(system, config, material))
        return save(system, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_run, "save_run", listening)
        run = train(config)
    assert not [path for path in folder.iterdir() if path.name.startswith(".tmp")]
    yield Trained(mode=mode, run=run, config=config, written=written)


@pytest.fixture
def elsewhere(trained: Trained, tmp_path: Path) -> Any:
    """The run, copied to another folder and loaded there."""
    return open_run(shutil.copytree(trained.run, tmp_path / "copy"))


def test_a_run_loaded_elsewhere_writes_the_same_bit_for_bit(
    trained: Trained, elsewhere: Any, material: TrainingMaterial
) -> None:
    assert trained.written
    assert write(elsewhere.system, trained.config, material) == trained.written
    silent = write(elsewhere.system, trained.config, material, without=(SOURCE,))
    assert [scores for _, scores, _ in silent] != [scores for _, scores, _ in trained.written]
    assert not [record for _, _, records in silent for record in records if record["kind"] == SOURCE]


def test_records_name_training_studies_of_other_patients(trained: Trained, material: TrainingMaterial) -> None:
    patients = {study.id: study.patient_id for study in material.training}
    queries = [*list(material.validation)[:3], *list(material.training)[:2]]
    contexts = []
    for query, (_, _, records) in zip(queries, trained.written, strict=True):
        (record,) = (record for record in records if record["kind"] == SOURCE)
        names = [item["study_id"] for item in record["items"]]
        assert 1 <= len(names) <= 4
        assert all(patients[name] != query.patient_id for name in names)
        if trained.mode in ("keyword", "labels"):
            for item in record["items"]:
                reported = next(study for study in material.training if study.id == item["study_id"])
                by_word = "未见" not in reported.report()
                expected = by_word if trained.mode == "keyword" else bool(material.positive(reported.id))
                assert (item["role"] == "positive") is expected
        contexts.append(names)
    if trained.mode == "similarity":
        assert len({tuple(names) for names in contexts}) > 1
    else:
        assert contexts[0] == contexts[1] == contexts[2]


def test_vectors_are_those_of_the_trained_trunk(trained: Trained, elsewhere: Any, material: TrainingMaterial) -> None:
    """Of the films without augmentation; in faithful of the first film alone."""
    bank = load_context(trained.run / "artefacts" / "context")
    manifest = read_manifest(trained.run / "artefacts" / "context")
    assert manifest.split_hash == material.split_hash
    assert manifest.details["context_patterns"] == len(bank.patterns)
    assert len(bank.patterns) == (42 if trained.mode == "similarity" else len(bank.patterns)) <= 42
    training = list(material.training)
    rows = {study.id: row for row, study in enumerate(training)}
    dataset = material.dataset(training)
    backbone = elsewhere.system.encoder.backbone
    for place, pattern in list(enumerate(bank.patterns))[::5]:
        batch = collate_studies([dataset[rows[pattern.study_id]]])
        views = 1 if trained.mode == "keyword" else batch.pixels.shape[1]
        with torch.no_grad():
            features = backbone(batch.pixels[:, :views], batch.view_mask[:, :views], batch.views[:, :views])
        torch.testing.assert_close(bank.vectors[place], features.pooled[0], rtol=1e-4, atol=1e-5)


def test_only_the_encoded_vectors_are_kept_apart(trained: Trained, elsewhere: Any) -> None:
    system = elsewhere.system
    name = f"sources.{SOURCE}.vectors"
    assert name in system.state_dict()
    assert name not in system.own_state()
    state = system.state_dict()
    state[name] = state[name] + 1
    system.load_state_dict(state)
    assert torch.equal(system.sources[SOURCE].vectors, state[name])
    del state[name]
    with pytest.raises(ValueError, match="context studies"):
        system.load_state_dict(state)


def test_encoding_goes_on_where_the_trunk_learns(trained: Trained, elsewhere: Any, material: TrainingMaterial) -> None:
    system, source = elsewhere.system, elsewhere.system.sources[SOURCE]
    before = source.vectors.clone()
    system.train()
    with torch.no_grad():
        for parameter in system.encoder.backbone.parameters():
            parameter.mul_(1.1)
    ContextEncoding(material, batch_size=8).encode(system)
    assert system.encoder.backbone.training is (trained.mode != "labels")  # as before
    assert torch.equal(source.vectors, before) is (trained.mode == "labels")


def _encode_in_part(system: Any, material: TrainingMaterial, rank: int, folder: Path) -> None:
    """What one of two processes does; it was forked, so that nothing is imported again."""
    torch.set_num_threads(1)
    os.environ |= {"WORLD_SIZE": "2", "RANK": str(rank)}
    store = distributed.FileStore(str(folder / "store"), 2)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    seen: list[int] = []
    backbone = system.encoder.backbone
    backbone.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    ContextEncoding(material, batch_size=4).encode(system)
    torch.save((system.sources[SOURCE].vectors, seen), folder / f"{rank}.pt")
    os._exit(0)


def test_processes_share_the_work(trained: Trained, elsewhere: Any, material: TrainingMaterial, tmp_path: Path) -> None:
    if trained.mode != "keyword":
        pytest.skip("one shape tells enough")
    system, source = elsewhere.system, elsewhere.system.sources[SOURCE]
    source.vectors.fill_(torch.nan)
    forking = multiprocessing.get_context("fork")
    processes = [forking.Process(target=_encode_in_part, args=(system, material, rank, tmp_path)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    ContextEncoding(material, batch_size=4).encode(system)
    counts = []
    for rank in range(2):
        vectors, seen = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        torch.testing.assert_close(vectors, source.vectors, rtol=1e-5, atol=1e-6)
        counts.append(seen)
    assert len(counts[0]) == len(counts[1])  # where weights are divided, all must pass the trunk together
    studies = len({pattern.study_id for pattern in source.patterns})
    assert [sum(seen) for seen in counts] in (
        [-(-studies // 2), studies // 2],
        [studies // 2 + studies % 2, studies // 2 + 1],
    )


def test_the_stage_draws_from_the_training_split_and_is_used_again(trained: Trained) -> None:
    path = trained.run.parent / "artefacts" / "context"
    if trained.mode == "similarity":
        assert not path.exists()
        assert trained.config.stage_names == ("language_model", "disease_classifier", "index")
        return
    bank = load_context(path)
    assert {pattern.study_id.split("-")[0] for pattern in bank.patterns} == {"trainstudy"}
    builder = training_run.StageBuilder(config=trained.config, material=read_material(trained.config.data), producer="")
    assert "context" not in builder.open_stages()
    other = replace(
        trained.config.system.evidence,
        context_residuals=replace(trained.config.system.evidence.context_residuals, seed=1),
    )
    builder.config = replace(trained.config, system=replace(trained.config.system, evidence=other))
    assert builder.open_stages() == ("context",)


def test_nothing_of_validation_or_test_is_in_any_file(trained: Trained, tiny_run: Any) -> None:
    """The planted marker of the tiny data, and the ids of its validation and test studies."""
    files = [path for path in trained.run.parent.rglob("*") if path.is_file()]
    assert {"context.jsonl", "context.safetensors"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        for needle in (*tiny_run.foreign, tiny_run.marker):
            for form in (needle.encode(), json.dumps(needle)[1:-1].encode()):
                assert form not in content, f"{needle!r} in {path}"


def test_a_patient_can_be_taken_out(trained: Trained, tmp_path: Path, material: TrainingMaterial) -> None:
    run = shutil.copytree(trained.run, tmp_path / "copy")
    bank = load_context(run / "artefacts" / "context")
    patient = bank.patterns[0].patient_id
    removed = remove_patients(run, [patient])
    assert removed.patients == 1
    assert removed.patterns == sum(pattern.patient_id == patient for pattern in bank.patterns)
    for path in run.rglob("*"):
        if path.is_file():
            assert patient.encode() not in path.read_bytes(), path
    found = write(open_run(run).system, trained.config, material)
    assert all(any(record["kind"] == SOURCE and record["items"] for record in records) for _, _, records in found)


def test_an_export_without_data_has_no_context(trained: Trained, tmp_path: Path, material: TrainingMaterial) -> None:
    out = tmp_path / "export"
    export_run(trained.run, out, without_data=True)
    loaded = open_run(out)
    assert SOURCE not in loaded.system.sources
    assert not (out / "artefacts" / "context").exists()
    assert write(loaded.system, trained.config, material)
    for path in out.rglob("*"):
        assert not path.is_file() or b"trainstudy-" not in path.read_bytes(), path


def test_similarity_needs_predicted_findings(tiny_run: Any) -> None:
    overrides = ["system.kind=r2gencsr", "system.evidence.sources=[patches,context_residuals]"]
    config = load_config(TrainConfig, tiny_run.config, overrides)
    with pytest.raises(UserError, match="predict"):
        assert config.stage_names
    assert list(read_studies(config.data).split("train"))
