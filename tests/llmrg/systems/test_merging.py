"""A merged language model writes what the adapted one wrote, token for token."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from llmrg.errors import UserError
from llmrg.language.llm import LanguageModel
from llmrg.language.settings import DecodingConfig, LanguageModelConfig
from llmrg.systems._merging import merge_language_model

pytestmark = pytest.mark.usefixtures("own_random_state")
needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed ([cpu])"
)


def adapted(config: LanguageModelConfig) -> LanguageModel:
    model = LanguageModel(config).eval()
    stream = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=stream) * 0.15)
    return model


def written(model: LanguageModel) -> list[list[int]]:
    prompts = torch.randn(3, 9, model.hidden_size, generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(9)[None] >= torch.tensor([[0], [4], [6]])).long()
    return [report.ids for report in model.generate(prompts, mask, DecodingConfig(max_new_tokens=16))]


def check_merged(config: LanguageModelConfig, out: Path) -> LanguageModel:
    model = adapted(config)
    merge_language_model(config, model.trainable_state_dict(), out, reference=model.reference())
    merged = LanguageModel(LanguageModelConfig(path=str(out), tuning="frozen"))
    expected = written(model)
    assert written(merged) == expected
    assert written(LanguageModel(replace(config, tuning="frozen", modules_to_save=()))) != expected
    assert merged.stop_token_ids == model.stop_token_ids
    assert merged.prefix_ids == model.prefix_ids
    assert merged.tokenizer.chat_template == model.tokenizer.chat_template
    assert not {part.dtype for part in merged.parameters()} - {torch.float32}
    return merged


def test_every_family_writes_the_same(
    family_checkpoint: Callable[[str], Any], family_name: str, tmp_path: Path
) -> None:
    config = LanguageModelConfig(path=str(family_checkpoint(family_name).path), lora_rank=2)
    tied = LanguageModel(config).causal.config.tie_word_embeddings
    assert check_merged(config, tmp_path / "out").causal.config.tie_word_embeddings == tied


@pytest.mark.parametrize(
    ("targets", "saved"), [(("q_proj", "lm_head"), ()), (("q_proj", "embed_tokens"), ()), (None, ("lm_head",))]
)
@pytest.mark.parametrize("name", ["qwen2", "qwen2-base"])
def test_shared_words_and_answers_part_where_one_learns(
    family_checkpoint: Callable[[str], Any], name: str, targets: Any, saved: tuple[str, ...], tmp_path: Path
) -> None:
    path = str(family_checkpoint(name).path)
    config = LanguageModelConfig(path=path, lora_rank=2, lora_targets=targets, modules_to_save=saved)
    assert not check_merged(config, tmp_path / "out").causal.config.tie_word_embeddings


@needs_bitsandbytes
def test_four_bit_weights_are_unpacked(family_checkpoint: Callable[[str], Any], tmp_path: Path) -> None:
    for name in ("llama2", "glm4", "phi3", "gpt2"):
        path = str(family_checkpoint(name).path)
        check_merged(LanguageModelConfig(path=path, lora_rank=2, quantisation="4bit"), tmp_path / name)


def test_eight_bits_are_refused(family_checkpoint: Callable[[str], Any], tmp_path: Path) -> None:
    config = LanguageModelConfig(path=str(family_checkpoint("qwen3").path), quantisation="8bit")
    with pytest.raises(UserError, match="stored in 8bit"):
        merge_language_model(config, {}, tmp_path / "out", reference={})
    assert not (tmp_path / "out").exists()
