"""A run is saved whole or not at all, loads as it was, and is refused where anything does not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import llmrg
from llmrg.artefacts import read_manifest, tree_hash
from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.studies.dataset import collate_studies, read_films
from llmrg.studies.reading import read_studies
from llmrg.systems import run as run_module
from llmrg.systems.build import ArtefactPaths, build_system
from llmrg.systems.run import RunConfig, open_run, save_run
from llmrg.training.settings import TrainConfig


@pytest.fixture
def run_copy(tiny_run: Any, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run.run, tmp_path / "run"))


def reports(system: Any, config: Any) -> list[tuple[str, list[float]]]:
    studies = list(read_studies(config.data).split("test"))[:4]
    batch = collate_studies([(study, read_films(study, config.data), {}) for study in studies])
    written = system.generate(batch, config.decoding)
    return [(report.text, [round(score, 4) for score in report.log_probabilities]) for report in written]


@pytest.mark.parametrize("tune_vision", [True, False])
def test_a_run_writes_what_its_system_wrote(tiny_run: Any, tmp_path: Path, tune_vision: bool) -> None:
    config = load_config(TrainConfig, tiny_run.config)
    settings = replace(config.system, tune_vision=tune_vision)
    paths = ArtefactPaths.below(tiny_run.artefacts)
    wanted = RunConfig(system=settings, data=config.data, decoding=config.decoding)
    for seed in range(10):  # until its reports differ: equal ones would show little
        torch.manual_seed(seed)
        system = build_system(settings, config.data, paths)
        with torch.no_grad():
            for parameter in system.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn_like(parameter) * 0.3)
        expected = reports(system, wanted)
        if len({text for text, _ in expected}) > 1:
            break
    save_run(system, tmp_path / "run", config=wanted, artefacts=paths, producer="test", split_hash="x", card="# card\n")
    loaded = open_run(tmp_path / "run", device="cpu")
    assert loaded.config == wanted
    assert not loaded.system.training
    assert reports(loaded.system, wanted) == expected
    assert reports(llmrg.load(tmp_path / "run"), wanted) == expected
    assert len({text for text, _ in expected}) > 1


def test_a_moved_run_needs_nothing_outside_itself(tiny_run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    moved = shutil.copytree(tiny_run.run, tmp_path / "elsewhere" / "moved")
    monkeypatch.chdir(tmp_path)
    loaded = open_run(moved)
    assert loaded.system.language_model.config.path == str(moved / "artefacts" / "language_model")
    assert reports(loaded.system, loaded.config) == reports(open_run(tiny_run.run).system, loaded.config)
    assert not [p for p in (moved / "tokenizer").iterdir() if p.suffix in (".bin", ".pkl", ".pt")]
    kinds = {p.suffix for p in moved.rglob("*") if p.is_file()}
    assert kinds <= {".safetensors", ".json", ".jsonl", ".yaml", ".md", ".faiss", ".jinja", ""}


def test_the_manifest_tells_hashes_and_patient_text(tiny_run: Any) -> None:
    manifest = read_manifest(tiny_run.run)
    assert manifest.kind == "run"
    assert manifest.contains_patient_text  # the embedded language model can recite reports
    assert set(manifest.details["artefacts"]) == {"language_model", "disease_classifier", "memory", "index"}
    for name, digest in manifest.details["artefacts"].items():
        assert tree_hash(tiny_run.run / "artefacts" / name) == digest
    assert manifest.details["parameters"]["total"] > manifest.details["parameters"]["trainable"] > 0
    reference = json.loads((tiny_run.run / "language_model.json").read_text())
    assert reference["path"] == "artefacts/language_model"
    assert all(len(reference[part]) == 64 for part in ("weights", "config", "tokenizer"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 0xFF
    path.write_bytes(bytes(content))


def edit(old: str, new: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return change


DAMAGE: list[tuple[str, Callable[[Path], None], str]] = [
    ("model.safetensors", flip, "weights are damaged"),
    ("model.safetensors", Path.unlink, "has no weights"),
    ("run.yaml", Path.unlink, "does not exist"),
    ("run.yaml", edit("image_size: 48", "image_size: 64"), "image_size is 48, but 64"),
    ("run.yaml", edit("vocabulary: ped_xray", "vocabulary: chexpert14"), "vocabulary is 'ped_xray'"),
    ("run.yaml", edit("tune_vision: false", "tune_vision: true"), "do not fit its configuration"),
    ("run.yaml", edit("lora_rank: 4", "lora_rank: 8"), "do not fit this model"),
    ("run.yaml", edit("- 8\n", "- 16\n"), "has the trunk"),
    ("run.yaml", edit("seed:", "sead:"), "Unknown key"),
    ("manifest.json", edit('"kind": "run"', '"kind": "memory"'), "artefact of kind 'memory'"),
    ("manifest.json", edit("{", "["), "manifest cannot be read"),
    ("COMPLETE", Path.unlink, "is incomplete"),
    ("language_model.json", Path.unlink, "which language model"),
    ("language_model.json", edit('"weights": "', '"weights": "0'), "not the one the run was trained with: weights"),
    ("artefacts/memory", shutil.rmtree, "lacks its artefact 'memory'"),
    ("artefacts/disease_classifier", shutil.rmtree, "lacks its artefact 'disease_classifier'"),
    ("artefacts/disease_classifier/encoder.safetensors", flip, "'disease_classifier' is damaged"),
    ("artefacts/memory/visual_memory.jsonl", edit("trainstudy", "xrainstudy"), "'memory' is damaged"),
    ("artefacts/index/context.safetensors", flip, "'index' is damaged"),
    ("artefacts/index/faiss/index.faiss", flip, "'index' is damaged"),
    ("artefacts/language_model/model.safetensors", flip, "'language_model' is damaged"),
    ("artefacts/index/manifest.json", Path.unlink, "'index' is damaged"),
]


@pytest.mark.parametrize(("name", "harm", "message"), DAMAGE, ids=[f"{n}-{m[:18]}" for n, _, m in DAMAGE])
def test_what_does_not_fit_is_one_message(
    run_copy: Path, name: str, harm: Callable[[Path], None], message: str
) -> None:
    harm(run_copy / name)
    with pytest.raises(UserError, match=message):
        open_run(run_copy)


def test_another_language_model_is_refused(run_copy: Path, tiny_run: Any, tmp_path: Path) -> None:
    """The same place or another place of the same model is fine; a model with other weights is not."""
    same = shutil.copytree(tiny_run.artefacts / "language_model", tmp_path / "same")
    assert open_run(run_copy, language_model=str(same)).system.language_model.config.path == str(same)
    from safetensors.torch import load_file, save_file

    other = shutil.copytree(same, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    save_file({name: value + 0.01 for name, value in weights.items()}, other / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="not the one the run was trained with: weights differ"):
        open_run(run_copy, language_model=str(other))
    with pytest.raises(UserError, match="not a directory"):
        open_run(run_copy, language_model=str(tmp_path / "none"))


def test_no_run_at_all(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        open_run(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is incomplete"):
        open_run(tmp_path / "empty")


@pytest.mark.parametrize("failing", ["save_file", "dump_config", "tree_hash"])
def test_a_failure_while_saving_leaves_nothing(
    tiny_run: Any, tiny_loaded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_module, failing, fail)
    with pytest.raises(OSError, match="No space"):
        save_run(
            tiny_loaded.system,
            tmp_path / "runs" / "run",
            config=tiny_loaded.config,
            artefacts=ArtefactPaths.below(tiny_run.artefacts),
            producer="test",
            split_hash="x",
            card="",
        )
    assert list((tmp_path / "runs").iterdir()) == []


def test_only_artefacts_that_loading_needs_are_kept(tiny_run: Any, tmp_path: Path) -> None:
    """An embedded model that only encoded reports holds patients' words and stays behind."""
    config = load_config(TrainConfig, tiny_run.config)
    path = str(tiny_run.artefacts / "language_model")
    settings = replace(config.system, language_model=replace(config.system.language_model, path=path))
    paths = ArtefactPaths.below(tiny_run.artefacts)
    system = build_system(settings, config.data, paths)
    wanted = RunConfig(system=settings, data=config.data)
    save_run(system, tmp_path / "run", config=wanted, artefacts=paths, producer="t", split_hash="x", card="")
    manifest = read_manifest(tmp_path / "run")
    assert set(manifest.details["artefacts"]) == {"disease_classifier", "memory", "index"}
    assert not manifest.contains_patient_text
    assert open_run(tmp_path / "run").system.language_model.config.path == path
