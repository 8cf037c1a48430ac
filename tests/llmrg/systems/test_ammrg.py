"""AM-MRG at published size: its parameters, counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmrg.config import load_config
from llmrg.systems.plan import find_dimensions, planned_system
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


def test_what_the_published_stages_ask_for(repository: Path) -> None:
    config = load_config(TrainConfig, repository / "configs" / "systems" / "ammrg.yaml")
    assert config.stage_names == ("language_model", "disease_classifier", "activation_maps", "memory")
    mining = config.stages.activation_maps
    assert (mining.grid, mining.threshold, mining.cells, mining.regions) == (14, 0.75, 6, 500)
    assert config.data.image_size / mining.grid == 16
    for memory in (config.system.evidence.visual_memory, config.system.evidence.report_memory):
        assert (memory.beta, memory.learn_beta, memory.steps) == (4.0, False, 1)
