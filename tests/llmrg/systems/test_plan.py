"""Planned parameters equal those of published models and of systems built for real."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmrg.config import load_config
from llmrg.errors import UserError
from llmrg.language.llm import LanguageModel
from llmrg.language.settings import LanguageModelConfig
from llmrg.systems.build import ArtefactPaths, build_system
from llmrg.systems.plan import LanguageDimensions, embedded_dimensions, find_dimensions, plan_system
from llmrg.training.settings import TrainConfig

# Parameters, each tensor counted once where words and answers share theirs.
PUBLISHED = {
    "Qwen/Qwen2.5-0.5B-Instruct": 494_032_768,
    "Qwen/Qwen2.5-1.5B-Instruct": 1_543_714_304,
    "Qwen/Qwen2.5-7B-Instruct": 7_615_616_512,
    "Qwen/Qwen3-0.6B": 596_049_920,
    "Qwen/Qwen3-4B": 4_022_468_096,
    "Qwen/Qwen3-8B": 8_190_735_360,
    "meta-llama/Llama-2-7b-chat-hf": 6_738_415_616,
    "meta-llama/Llama-3.1-8B-Instruct": 8_030_261_248,
    "THUDM/glm-4-9b-chat-hf": 9_399_951_360,
    "01-ai/Yi-1.5-6B-Chat": 6_061_035_520,
    "deepseek-ai/deepseek-llm-7b-chat": 6_910_365_696,
    "Qwen/Qwen1.5-0.5B-Chat": 463_987_712,
    "Qwen/Qwen1.5-1.8B-Chat": 1_836_828_672,
    "Qwen/Qwen1.5-7B-Chat": 7_721_324_544,
    "Qwen/Qwen2-0.5B-Instruct": 494_032_768,
    "Qwen/Qwen2-1.5B-Instruct": 1_543_714_304,
    "Qwen/Qwen2-7B-Instruct": 7_615_616_512,
    "Qwen/Qwen2.5-3B-Instruct": 3_085_938_688,
    "Qwen/Qwen2.5-14B-Instruct": 14_770_033_664,
    "Qwen/Qwen3-1.7B": 1_720_574_976,
    "Qwen/Qwen3-14B": 14_768_307_200,
    "meta-llama/Llama-2-13b-chat-hf": 13_015_864_320,
    "meta-llama/Meta-Llama-3-8B-Instruct": 8_030_261_248,
    "meta-llama/Llama-3.2-1B-Instruct": 1_235_814_400,
    "meta-llama/Llama-3.2-3B-Instruct": 3_212_749_824,
    "lmsys/vicuna-7b-v1.5": 6_738_415_616,
    "microsoft/Orca-2-7b": 6_738_440_192,
    "microsoft/Orca-2-13b": 13_015_895_040,
    "01-ai/Yi-1.5-9B-Chat": 8_829_407_232,
    "internlm/internlm3-8b-instruct": 8_804_241_408,
    "internlm/internlm-7b": 7_321_948_160,
    "mistralai/Mistral-7B-Instruct-v0.3": 7_248_023_552,
    "THUDM/GLM-4-9B-0414": 9_400_279_040,
    "openai-community/gpt2-medium": 354_823_168,
}

# Sizes, in billions, in the comparison of language models of CXPMRG-Bench (Wang et al. 2024, table 2).
COMPARED = {
    "lmsys/vicuna-7b-v1.5": 6.7,
    "Qwen/Qwen1.5-7B-Chat": 7.7,
    "Qwen/Qwen2-7B-Instruct": 7.6,
    "internlm/internlm-7b": 7.3,
    "meta-llama/Llama-2-7b-chat-hf": 6.7,
    "meta-llama/Llama-2-13b-chat-hf": 13,
    "meta-llama/Meta-Llama-3-8B-Instruct": 8,
    "meta-llama/Llama-3.1-8B-Instruct": 8,
    "openai-community/gpt2-medium": 0.354,
    "microsoft/Orca-2-7b": 6.7,
    "microsoft/Orca-2-13b": 13,
    "deepseek-ai/deepseek-llm-7b-chat": 6.9,
    "01-ai/Yi-1.5-6B-Chat": 6.1,
    "01-ai/Yi-1.5-9B-Chat": 8.8,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_dimensions_give_the_published_size(name: str, repository: Path) -> None:
    dimensions = find_dimensions(name, repository / "configs" / "language")
    model = LanguageModel.planned(LanguageModelConfig(path=name, tuning="frozen"), dimensions.architecture)
    assert all(parameter.is_meta for parameter in model.parameters())
    assert sum(parameter.numel() for parameter in model.parameters()) == PUBLISHED[name]


def test_compared_models_have_the_size_of_their_table() -> None:
    for name, billions in COMPARED.items():
        assert PUBLISHED[name] == pytest.approx(billions * 1e9, rel=0.01)


def test_every_file_is_a_published_model(repository: Path) -> None:
    files = (repository / "configs" / "language").glob("*.yaml")
    assert {load_config(LanguageDimensions, file).name for file in files} == PUBLISHED.keys()


def test_an_unknown_model_names_the_nearest(repository: Path) -> None:
    with pytest.raises(UserError, match=r"Did you mean 'Qwen/Qwen3-8B'"):
        find_dimensions("Qwen/Qwen3-8b", repository / "configs" / "language")
    with pytest.raises(UserError, match="Unknown model_type"):
        LanguageModel.planned(LanguageModelConfig(path="x"), {"model_type": "no_such"})


@pytest.mark.parametrize("tune_vision", [True, False])
@pytest.mark.parametrize("tuning", ["lora", "full", "frozen"])
def test_a_plan_counts_what_is_built(tiny_run: Any, tune_vision: bool, tuning: str) -> None:
    config = load_config(TrainConfig, tiny_run.config)
    language = replace(config.system.language_model, tuning=tuning)
    settings = replace(config.system, tune_vision=tune_vision, language_model=language)
    built = build_system(settings, config.data, ArtefactPaths.below(tiny_run.artefacts))
    plan = plan_system(settings, config.data, embedded_dimensions(config.stages.language_model.model))
    assert plan.total == sum(parameter.numel() for parameter in built.parameters())
    assert plan.trainable == sum(p.numel() for p in built.parameters() if p.requires_grad)
    for source in ("patches", "visual_memory", "report_memory"):
        module = built.sources[source]
        assert plan.parts[source].total == sum(parameter.numel() for parameter in module.parameters())
    assert plan.parts["vision"].total == sum(parameter.numel() for parameter in built.encoder.backbone.parameters())
    assert ("index_encoder" in plan.parts) == tune_vision
    if tune_vision:
        assert plan.parts["index_encoder"].trainable == 0
    assert (plan.parts["language_model"].trainable == 0) == (tuning == "frozen")
