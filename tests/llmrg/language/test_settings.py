from __future__ import annotations

import dataclasses

import pytest

from llmrg.config import dump_config, load_config
from llmrg.errors import UserError
from llmrg.language.settings import DecodingConfig, LanguageModelConfig, decoding_preset


def test_presets_are_named() -> None:
    assert decoding_preset("greedy").strategy == "greedy"
    assert decoding_preset("beam").beams == 3
    assert decoding_preset("sampling").strategy == "sampling"
    with pytest.raises(UserError, match="greedy"):
        decoding_preset("greddy")


def test_settings_survive_yaml(tmp_path) -> None:
    config = LanguageModelConfig(path="x", lora_targets=("q_proj", "v_proj"), quantisation="4bit")
    (tmp_path / "c.yaml").write_text(dump_config(config), encoding="utf-8")
    assert load_config(LanguageModelConfig, tmp_path / "c.yaml") == config


@pytest.mark.parametrize(
    "values",
    [
        {"path": " "},
        {"path": "x", "tuning": "full", "quantisation": "4bit"},
        {"path": "x", "tuning": "frozen", "modules_to_save": ("lm_head",)},
        {"path": "x", "lora_rank": 0},
        {"path": "x", "lora_dropout": 1.0},
    ],
)
def test_contradictory_model_settings_are_refused(values) -> None:
    with pytest.raises(ValueError):
        LanguageModelConfig(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"strategy": "beam"},
        {"beams": 3},
        {"max_new_tokens": 0},
        {"min_new_tokens": 9, "max_new_tokens": 8},
        {"temperature": 0.0},
        {"top_p": 0.0},
    ],
)
def test_contradictory_decoding_settings_are_refused(values) -> None:
    with pytest.raises(ValueError):
        DecodingConfig(**values)


def test_published_presets() -> None:
    full, iu = decoding_preset("published"), decoding_preset("published_iu")
    assert (full.strategy, full.beams, full.repetition_penalty, full.length_penalty) == ("beam", 3, 2.0, 2.0)
    assert (full.min_new_tokens, full.max_new_tokens) == (80, 120)
    assert (iu.beams, iu.min_new_tokens, iu.max_new_tokens) == (3, 40, 100)
    assert decoding_preset("published_iu_beam5").beams == 5


def test_a_configuration_names_a_preset() -> None:
    values = ["strategy=greedy", "max_new_tokens=7", "seed=3", "preset=published"]
    assert load_config(DecodingConfig, None, values) == dataclasses.replace(decoding_preset("published"), seed=3)
    assert load_config(DecodingConfig, None, ["preset=null", "max_new_tokens=7"]).max_new_tokens == 7
    with pytest.raises(UserError, match="Unknown decoding preset"):
        load_config(DecodingConfig, None, ["preset=publishd"])
