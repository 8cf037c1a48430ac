"""Tiny checkpoints of several families, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import processors
from transformers import AutoConfig, AutoModelForCausalLM

from llmrg.language.embedded import train_tokenizer

FAMILIES = ("qwen3", "qwen2", "llama", "gpt_neox")
REPORTS = (
    "双肺纹理增多，心影不大。",
    "左侧胸腔积液，右肺清晰。",
    "The heart is enlarged.",
    "No pleural effusion is seen.",
)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the directory of a tiny random causal LM of a family; llama's tokenizer starts prompts with a BOS."""
    made: dict[str, Path] = {}

    def make(family: str) -> Path:
        if family in made:
            return made[family]
        tokenizer = train_tokenizer(REPORTS * 3, vocabulary_size=320)
        if family == "llama":
            tokenizer.add_special_tokens({"bos_token": "<|begin|>"})
            tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
                single="<|begin|> $A", special_tokens=[("<|begin|>", tokenizer.bos_token_id)]
            )
        config = AutoConfig.for_model(
            family,
            vocab_size=len(tokenizer),
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            intermediate_size=128,
            max_position_embeddings=512,
            tie_word_embeddings=family == "qwen3",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=None,
            initializer_range=0.2,  # far from uniform, so that greedy choices have no near ties
            hidden_dropout=0.0,
            attention_dropout=0.0,
        )
        torch.manual_seed(sum(map(ord, family)))
        folder = tmp_path_factory.mktemp(family)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        made[family] = folder
        return folder

    return make
