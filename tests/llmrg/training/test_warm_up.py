"""A trunk that the disease-classifier stage has warmed up, in a system that asks no disease queries."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from llmrg.config import load_config
from llmrg.language.settings import DecodingConfig
from llmrg.studies.dataset import collate_studies, read_films
from llmrg.studies.reading import read_studies
from llmrg.systems.run import open_run
from llmrg.training.run import train
from llmrg.training.settings import TrainConfig

TRAINING = """
# R2GenGPT's shallow variant on a trunk that learnt the training labels.
out: {folder}/runs/warm
artefacts: {folder}/runs/artefacts
seed: 3
data: {{format: ped-xray, root: {data}, language: zh, vocabulary: ped_xray, image_size: 48}}
system:
  kind: r2gengpt
  variant: shallow
  warm_up: true
  max_report_tokens: 96
  vision: {{architecture: resnet10t, channels: 1, mean: 0.45, std: 0.25, positions: false,
            options: {{stem_width: 8, channels: [8, 16, 16, 32]}}}}
  evidence: {{sources: [patches], patches: {{views: mean}}}}
  language_model: {{path: embedded, tuning: frozen}}
stages:
  language_model:
    max_steps: 60
    model: {{vocabulary_size: 400, hidden_size: 32, layers: 2, heads: 2, intermediate_size: 64}}
  disease_classifier: {{epochs: 1, batch_size: 8}}
training: {{epochs: 1, batch_size: 8, learning_rate: 2e-3, evaluations: 1, validation_studies: 4, precision: fp32}}
decoding: {{max_new_tokens: 16}}
"""


@pytest.fixture(scope="module")
def warm(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    folder = tmp_path_factory.mktemp("warm")
    shutil.copytree(tiny_run.artefacts / "language_model", folder / "runs" / "artefacts" / "language_model")
    path = folder / "training.yaml"
    path.write_text(TRAINING.format(folder=folder, data=tiny_run.data))
    config = load_config(TrainConfig, path)
    train(config)
    return config


def test_the_trunk_is_the_classifiers(warm: TrainConfig) -> None:
    artefact = load_file(warm.artefacts_folder / "disease_classifier" / "encoder.safetensors")
    run = load_file(warm.out / "model.safetensors")
    trunk = {name.removeprefix("encoder."): tensor for name, tensor in run.items() if name.startswith("encoder.")}
    assert trunk.keys() == {name for name in artefact if name.startswith("backbone.")}
    assert all(torch.equal(tensor, artefact[name]) for name, tensor in trunk.items()), "shallow leaves it as it is"


def test_the_run_needs_no_classifier(warm: TrainConfig, tmp_path: Path) -> None:
    manifest = json.loads((warm.out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["details"]["artefacts"].keys() == {"language_model"}
    moved = tmp_path / "elsewhere"
    shutil.copytree(warm.out, moved)
    studies = list(read_studies(warm.data).split("test"))[:4]
    written = []
    for place in (warm.out, moved):
        system = open_run(place).system
        assert system.encoder.queries is None
        batch = collate_studies([(study, read_films(study, warm.data), {}) for study in studies])
        reports = system.generate(batch, DecodingConfig(max_new_tokens=12))
        written.append([(report.text, report.log_probabilities) for report in reports])
    assert written[0] == written[1]


def test_it_is_off_unless_asked_for(warm: TrainConfig) -> None:
    assert "disease_classifier" in warm.stage_names
    plain = load_config(TrainConfig, warm.out.parent.parent / "training.yaml", ["system.warm_up=false"])
    assert plain.stage_names == ("language_model",)
