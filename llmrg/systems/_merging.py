"""Merge what a language model learnt into its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from llmrg.errors import UserError
from llmrg.language.llm import LanguageModel
from llmrg.language.loading import load_causal_model, load_tokenizer
from llmrg.language.settings import LanguageModelConfig


def check_mergeable(config: LanguageModelConfig, *, where: str) -> None:
    """Refuse a language model whose merged weights would not compute what it computed.

    Raises:
        UserError: it is stored in 8 bits: those layers round what they read as well, which no weights can do.
    """
    if config.quantisation == "8bit":
        raise UserError(
            "Adapters cannot be merged into a language model stored in 8bit: its layers round their inputs, too, so "
            "that the merged model would write other reports",
            where=where,
            next_step="export without --merge; the export then names the base model that it needs",
        )


def merge_language_model(
    config: LanguageModelConfig,
    state: Mapping[str, Tensor],
    out: Path,
    *,
    reference: Mapping[str, str | None],
) -> None:
    """Load the base model, put the learnt weights in, merge adapters, and save in the ordinary transformers format.

    Adapters learnt on weights stored in 4 bits are merged into what those weights stand for, which is what they were
    learnt with, and not into the weights before they were stored so.

    Args:
        config: of the language model; its path names the base model.
        state: the learnt weights (:meth:`LanguageModel.trainable_state_dict`).
        out: directory to write into.
        reference: the base model that the run was trained with.

    Raises:
        UserError: another base model, weights that do not fit it, or a model that :func:`check_mergeable` refuses.
    """
    check_mergeable(config, where=config.path)
    model = _unpacked(config)
    model.check_reference(reference)
    model.load_trainable_state_dict(state)
    network: Any = model.network
    if config.tuning == "lora":
        _separate_adapted(network)
        network = network.merge_and_unload(safe_merge=True)
    words, answers = network.get_input_embeddings(), network.get_output_embeddings()
    if answers is not None and words.weight.data_ptr() != answers.weight.data_ptr():
        network.config.tie_word_embeddings = False  # one of the two was trained by itself
    if config.quantisation != "none":
        _turn_back(network)
    network.config._name_or_path = ""
    network.save_pretrained(out, safe_serialization=True)
    model.tokenizer.name_or_path = ""
    model.tokenizer.save_pretrained(out)


def _unpacked(config: LanguageModelConfig) -> LanguageModel:
    """The language model, with ordinary weights."""
    if config.quantisation == "none":
        return LanguageModel(config)
    network: Any = load_causal_model(config)
    tokenizer = load_tokenizer(config.path, revision=config.revision)
    return LanguageModel(replace(config, quantisation="none"), network=network.dequantize(), tokenizer=tokenizer)


def _turn_back(network: PreTrainedModel) -> None:
    """Transpose what bitsandbytes keeps as a linear layer and the architecture as a convolution of width 1 (GPT-2)."""
    with torch.device("meta"):
        published = AutoModelForCausalLM.from_config(network.config)
    for name, module in published.named_modules():
        if isinstance(module, Conv1D):
            layer = network.get_submodule(name)
            layer.weight = nn.Parameter(layer.weight.detach().t().contiguous())


def _separate_adapted(network: nn.Module) -> None:
    """Give adapted layers weights of their own where words and answers share them: merging changes one of the two."""
    for module in network.modules():
        base = getattr(module, "base_layer", None)
        if base is None or not hasattr(module, "lora_A"):
            continue
        shared = [part for part in network.modules() if getattr(part, "weight", None) is base.weight]
        if len(shared) > 1 + (module in shared):
            base.weight = nn.Parameter(base.weight.detach().clone(), requires_grad=False)
