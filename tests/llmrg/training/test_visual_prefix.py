"""R2GenGPT and MambaXray-VL, trained by their command: nothing leaks, and a moved run writes the same reports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from llmrg.cli import app
from llmrg.config import load_config
from llmrg.language.settings import DecodingConfig
from llmrg.studies.dataset import collate_studies, read_films
from llmrg.studies.reading import read_studies
from llmrg.systems.build import ArtefactPaths, build_system
from llmrg.systems.export import export_run
from llmrg.systems.report_generator import ReportGenerator
from llmrg.systems.run import open_run
from llmrg.training.settings import TrainConfig

TRAINING = """
# A small Swin or Mamba trunk before the tiny language model.
out: {folder}/runs/{name}
artefacts: {folder}/runs/artefacts
seed: 3
data: {{format: ped-xray, root: {data}, language: zh, vocabulary: ped_xray, image_size: 48}}
system:
  name: {name}
  kind: {kind}
  max_report_tokens: 96
  vision: {{channels: 1, mean: 0.45, std: 0.25, positions: false}}
  evidence: {{sources: [patches], patches: {{views: mean}}}}
  language_model: {{path: embedded, tuning: frozen}}
stages:
  language_model:
    max_steps: 60
    model: {{vocabulary_size: 400, hidden_size: 32, layers: 2, heads: 2, intermediate_size: 64}}
training: {{epochs: 1, batch_size: 8, learning_rate: 2e-3, evaluations: 1, validation_studies: 4, precision: fp32}}
decoding: {{max_new_tokens: 16}}
"""
SWIN = "{embed_dim: 12, depths: [1, 1], num_heads: [2, 4], window_size: 6, drop_path_rate: 0.0}"
SYSTEMS = {
    "delta": (
        "r2gengpt",
        (
            "system.variant=delta",
            "system.vision.architecture=swin_tiny_patch4_window7_224",
            f"system.vision.options={SWIN}",
        ),
    ),
    "mamba": (
        "mambaxray_vl",
        (
            "system.setting=faithful",
            "system.vision.architecture=arm_micro",
            "system.vision.options={depth: 2, width: 32, drop_path: 0.0}",
            "system.evidence.patches.class_token=true",
        ),
    ),
}


@pytest.fixture(scope="module", params=SYSTEMS)
def trained(request: pytest.FixtureRequest, tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Folder and configuration of a training; the language model is the tiny run's."""
    kind, overrides = SYSTEMS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copytree(tiny_run.artefacts / "language_model", folder / "runs" / "artefacts" / "language_model")
    path = folder / "training.yaml"
    path.write_text(TRAINING.format(folder=folder, name=request.param, kind=kind, data=tiny_run.data))
    result = CliRunner().invoke(app, ["train", str(path), *overrides])
    assert result.exit_code == 0, result.output
    return folder, load_config(TrainConfig, path, overrides)


def reports(system: ReportGenerator, data: Any) -> list[Any]:
    studies = list(read_studies(data).split("test"))[:4]
    batch = collate_studies([(study, read_films(study, data), {}) for study in studies])
    written = system.generate(batch, DecodingConfig(max_new_tokens=12))
    return [(report.text, report.log_probabilities) for report in written]


def test_a_moved_run_writes_the_same(trained: Any, tmp_path: Path) -> None:
    _, config = trained
    here = open_run(config.out)
    written = reports(here.system, config.data)
    moved = tmp_path / "elsewhere"
    shutil.copytree(config.out, moved)
    assert reports(open_run(moved).system, config.data) == written
    assert here.system.encoder.queries is None
    assert json.loads((moved / "manifest.json").read_text())["details"]["artefacts"].keys() == {"language_model"}


def test_only_what_shall_learn_has_learnt(trained: Any) -> None:
    _, config = trained
    torch.manual_seed(config.seed)
    fresh = build_system(config.system, config.data, ArtefactPaths.below(config.artefacts_folder)).own_state()
    learnt = load_file(config.out / "model.safetensors")
    assert learnt.keys() == fresh.keys()
    changed = {name for name in learnt if not torch.equal(learnt[name], fresh[name])}
    assert {"sources.patches.projection.linear.weight", "sources.patches.projection.norm.weight"} <= changed
    trunk = {name for name in changed if name.startswith("encoder.")}
    assert trunk
    if config.system.vision_tuning == "lora":
        assert all("lora_" in name for name in trunk)
    else:
        assert "encoder.backbone.trunk.class_token" in trunk
    assert not [name for name in learnt if name.startswith("language_model.")]


def test_nothing_of_validation_and_test_is_left_behind(trained: Any, tiny_run: Any) -> None:
    folder, _ = trained
    needles = [needle.encode() for needle in (*tiny_run.foreign, tiny_run.marker)]
    needles += [json.dumps(tiny_run.marker)[1:-1].encode(), tiny_run.marker.encode("utf-16-le")]
    searched = [path for path in (folder / "runs").rglob("*") if path.is_file()]
    assert {path.name for path in searched} >= {"model.safetensors", "tokenizer.json", "train.yaml", "log.json"}
    for path in searched:
        content = path.read_bytes()
        assert not [needle for needle in needles if needle in content], path
    annotation = (tiny_run.data / "annotation.json").read_bytes()
    assert all(needle in annotation for needle in needles[:-2]), "the search would not find them"


def test_the_class_token_is_shown(trained: Any) -> None:
    _, config = trained
    system = open_run(config.out).system
    study = next(iter(read_studies(config.data).split("train")))
    batch = collate_studies([(study, read_films(study, config.data), {})])
    tokens = system.gather(batch)["patches"].embeddings
    assert tokens is not None
    assert tokens.shape[1] == (10 if config.system.kind == "mambaxray_vl" else 36)


def test_adapters_of_the_trunk_are_merged_for_sharing(trained: Any, tmp_path: Path) -> None:
    _, config = trained
    assert (config.system.vision_lora is None) == (config.system.kind == "mambaxray_vl")  # merging then changes nothing
    export_run(config.out, tmp_path / "export", merge=True)
    merged = open_run(tmp_path / "export")
    assert merged.config.system.vision_lora is None
    assert not [name for name in merged.system.own_state() if "lora_" in name]
    for (text, scores), (own, own_scores) in zip(
        reports(merged.system, config.data), reports(open_run(config.out).system, config.data), strict=True
    ):
        assert text == own
        assert scores == pytest.approx(own_scores, abs=1e-4)
