"""AM-MRG at published size: its parameters, counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from llmrg.config import load_config
from llmrg.evidence.encoder import build_encoder
from llmrg.systems.build import encoder_config
from llmrg.systems.plan import count_parts, find_dimensions, planned_system
from llmrg.systems.rehearsal import StepShape, rehearse_encoder
from llmrg.training.settings import TrainConfig


def test_each_hopfield_layer_has_the_parameters_of_the_published_one(repository: Path) -> None:
    config = load_config(TrainConfig, repository / "configs" / "systems" / "ammrg.yaml")
    dimensions = find_dimensions(config.system.language_model.path, repository / "configs" / "language")
    width = config.stages.activation_maps.width
    system = planned_system(config.system, config.data, dimensions, report_width=768, visual_width=width)
    norms = 3 * 2 * 768
    asked_and_stored = 2 * (768 * 6 * 1024 + 6 * 1024)
    values = 768 * 6 * 768 + 6 * 768
    answers = 6 * 768 * 768 + 768
    by_hand = norms + asked_and_stored + values + answers
    assert by_hand / 1e6 == pytest.approx(16.54, abs=0.005)
    for kind in ("visual_memory", "report_memory"):
        memory = system["sources"][kind]
        assert sum(parameter.numel() for parameter in memory.retrieval.parameters()) == by_hand
        assert memory.retrieval.log_beta.shape == (6,)
        assert memory.patterns.shape[1] == 768
        assert all(parameter.is_meta for parameter in memory.parameters())
    assert not any(parameter.requires_grad for parameter in system["language_model"].parameters())


@pytest.mark.parametrize("setting", ["fixed", "faithful"])
def test_the_parts_have_the_published_sizes(repository: Path, setting: str) -> None:
    config = load_config(TrainConfig, repository / "configs" / "systems" / "ammrg.yaml", [f"system.setting={setting}"])
    dimensions = find_dimensions(config.system.language_model.path, repository / "configs" / "language")
    system = planned_system(config.system, config.data, dimensions, report_width=768, visual_width=768)
    source = system["sources"]["disease_queries"]
    former = sum(parameter.numel() for parameter in source.queries.former.parameters())
    assert former == 105_137_664  # counted by hand in tests/llmrg/evidence/test_qformer.py
    findings = 13
    assert source.queries.queries.shape == (findings, 768)
    judging = 768 * 1024 + 1024 + 2 * 1024
    classifiers = findings * (1024 * 384 + 384 + 384 * 48 + 48 + 48 * 48 + 48 + 48 * 3 + 3)
    queries = former + findings * 768 + 1024 * 1408 + 1408 + judging + classifiers
    told = 768 * 4096 + 3 * 4096 + (findings * 3 * 768 if setting == "fixed" else 0)
    plan = count_parts(system)
    asked = plan.parts["disease_queries"]
    assert asked.trainable == queries + told
    assert asked.total == queries + told + (queries if setting == "faithful" else 0)  # the classifier's own stay frozen
    assert plan.parts["vision"].trainable == pytest.approx(296.0e6, abs=0.05e6)
    assert plan.parts["language_model"].trainable == 0
    memory = plan.parts["visual_memory"].trainable
    assert memory - (768 * 4096 + 3 * 4096) == pytest.approx(16.54e6, abs=0.005e6)  # asked by the answers as they are
    assert plan.trainable == sum(
        plan.parts[part].trainable
        for part in ("vision", "patches", "disease_queries", "visual_memory", "report_memory")
    )


def test_plans_count_what_a_qformer_computes(repository: Path) -> None:
    queries = "system.evidence.disease_queries"
    shape = StepShape(
        studies=3, views=2, image_size=128, prompt_tokens=0, report_tokens=0, bf16=False, tune_vision=True
    )

    def operations(layers: int) -> int:
        own = [f"{queries}.head=qformer", f"{queries}.qformer={{layers: {layers}, width: 32, inner_width: 48}}"]
        config = load_config(TrainConfig, repository / "configs" / "quickstart" / "ammrg.yaml", own)
        with torch.device("meta"):
            encoder = build_encoder(encoder_config(config.system, config.data))
        return rehearse_encoder(encoder, shape, learn=True).flops

    asked, width, inner, places, visual = 12, 32, 48, 2 * 8 * 8, 128
    every = 4 * asked * width**2 + 2 * asked**2 * width + 2 * asked * width * inner
    looking = 2 * asked * width**2 + 2 * places * width * visual + 2 * asked * places * width
    forward = 2 * shape.studies * (2 * every + looking)
    assert operations(4) - operations(2) == 3 * forward  # a backward pass computes twice as much


def test_what_the_published_stages_ask_for(repository: Path) -> None:
    config = load_config(TrainConfig, repository / "configs" / "systems" / "ammrg.yaml")
    assert config.stage_names == ("language_model", "disease_classifier", "activation_maps", "memory")
    mining = config.stages.activation_maps
    assert (mining.grid, mining.threshold, mining.cells, mining.regions) == (14, 0.75, 6, 500)
    assert config.data.image_size / mining.grid == 16
    for memory in (config.system.evidence.visual_memory, config.system.evidence.report_memory):
        assert (memory.beta, memory.learn_beta, memory.steps) == (4.0, False, 1)
