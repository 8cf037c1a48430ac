"""R2GenCSR's configuration: what the settings mean, the published size, the prompt, the artefact of context studies."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from llmrg.artefacts import Manifest
from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.evidence.memory_bank import MemoryBank, Pattern
from llmrg.systems.context import context_of, load_context, write_context
from llmrg.systems.plan import find_dimensions, plan_system
from llmrg.systems.prompts import system_prompt
from llmrg.training.settings import TrainConfig


def configuration(repository: Path, *overrides: str, file: str = "systems/r2gencsr.yaml") -> TrainConfig:
    return load_config(TrainConfig, repository / "configs" / file, overrides)


@pytest.mark.parametrize("file", ["systems/r2gencsr.yaml", "quickstart/r2gencsr.yaml"])
def test_fixed_searches_for_every_query(repository: Path, file: str) -> None:
    config = configuration(repository, file=file)
    context = context_of(config.system)
    assert context is not None
    assert context.searches
    assert not context.faithful
    assert {"disease_classifier", "index"} <= set(config.stage_names)
    assert "context" not in config.stage_names


def test_faithful_draws_by_keyword_and_needs_no_classifier(repository: Path) -> None:
    config = configuration(repository, "system.setting=faithful")
    context = context_of(config.system)
    assert context is not None
    assert (context.mode, context.faithful, context.searches) == ("keyword", True, False)
    assert config.system.evidence.sources == ("patches", "context_residuals")
    assert config.stage_names == ("context",)
    assert not config.system.searches


def test_other_systems_have_no_context(repository: Path) -> None:
    assert context_of(configuration(repository, file="systems/llmrg.yaml").system) is None


def test_similarity_without_predicted_findings_is_refused(repository: Path) -> None:
    config = configuration(repository, "system.evidence.sources=[patches,context_residuals]")
    with pytest.raises(UserError, match="predict"):
        context_of(config.system)


def test_the_published_size(repository: Path) -> None:
    """91.7 M learn (the paper's table): VMamba-B, the projection, which context and patches share, and its norm."""
    config = configuration(repository, "system.setting=faithful")
    folder = repository / "configs" / "language"
    plan = plan_system(config.system, config.data, find_dimensions(config.system.language_model.path, folder))
    assert set(plan.parts) == {"vision", "patches", "language_model"}
    assert plan.parts["patches"].trainable == 1024 * 4096 + 4096 + 2 * 4096
    assert plan.trainable / 1e6 == pytest.approx(91.7, abs=0.05)
    fixed = configuration(repository)
    plan = plan_system(fixed.system, fixed.data, find_dimensions(fixed.system.language_model.path, folder))
    assert plan.parts["context_residuals"].trainable == 2 * 4096  # the layer norm of the residuals
    assert "index_encoder" not in plan.parts  # the trunk that learns searches by itself


@pytest.mark.parametrize("language", ["zh", "en"])
def test_context_stands_before_the_prompt(language: str) -> None:
    sources = ("patches", "disease_queries", "context_residuals")
    prompt = system_prompt("r2gencsr", language, sources)  # type: ignore[arg-type]
    assert prompt.sources == ("context_residuals", "patches")
    assert prompt.segments[0].source == "context_residuals"
    plain = system_prompt("r2gengpt", language, ("patches",))  # type: ignore[arg-type]
    assert prompt.segments[1:] == plain.segments
    assert system_prompt("r2gencsr", language, ("patches", "disease_queries")) == plain  # type: ignore[arg-type]
    ours = system_prompt("llmrg", language, sources)  # type: ignore[arg-type]
    assert ours.sources == ("context_residuals", "patches", "disease_queries")


def test_the_artefact_is_checked(tmp_path: Path) -> None:
    patterns = tuple(Pattern(study_id=f"s{row}", patient_id=f"p{row}", finding="positive") for row in range(3))
    bank = MemoryBank(vectors=torch.randn(3, 4), patterns=patterns)
    for given in (bank, MemoryBank(vectors=torch.empty(3, 0), patterns=patterns)):
        write_context(given, tmp_path / "context", Manifest(kind="context", producer="test"))
        found = load_context(tmp_path / "context")
        assert torch.equal(found.vectors, given.vectors)
        assert found.patterns == patterns
    path = tmp_path / "context" / "context.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(UserError, match="damaged"):
        load_context(tmp_path / "context")
