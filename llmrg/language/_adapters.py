"""Low-rank adapters on a causal language model of any architecture."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import cast

from peft import LoraConfig, TaskType, get_peft_model
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from llmrg.errors import UserError
from llmrg.language.settings import LanguageModelConfig

logger = logging.getLogger(__name__)


def tuned(network: PreTrainedModel, config: LanguageModelConfig) -> nn.Module:
    """Freeze a model, free it, or give it adapters, as its settings ask.

    Without ``lora_targets`` every linear layer of attention and MLP gets one, under whatever names the architecture has
    for them (``gate_up_proj`` in GLM-4, ``qkv_proj`` in Phi-3, ``c_attn`` in GPT-2); embeddings and the output layer
    get none.

    Raises:
        UserError: ``lora_targets`` or ``modules_to_save`` names something that the model lacks.
    """
    network.requires_grad_(config.tuning == "full")
    if config.tuning != "lora":
        return network
    if config.lora_targets is not None:
        _check_names("lora_targets", config.lora_targets, network, config, allowed=linear_layers(network))
    modules = sorted({name.rpartition(".")[2] for name, _ in network.named_modules() if name} - {"layers"})
    named = [name for name in modules if not name.isdigit()]
    _check_names("modules_to_save", config.modules_to_save, network, config, allowed=named)
    if network.config.get_text_config().tie_word_embeddings and config.modules_to_save:
        logger.warning("Words and answers share their weights in this model; modules_to_save trains copies of its own")
    settings = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=list(config.lora_targets) if config.lora_targets is not None else "all-linear",
        modules_to_save=list(config.modules_to_save) or None,
        task_type=TaskType.CAUSAL_LM,
    )
    try:
        return cast(nn.Module, get_peft_model(network, settings))
    except ValueError as error:
        raise UserError(
            "This language model cannot get adapters there",
            where=config.path,
            allowed=linear_layers(network),
            got=",".join(config.lora_targets or ("all linear layers",)),
        ) from error


def linear_layers(network: nn.Module) -> list[str]:
    """Return the names of a model's linear layers (the last part of each), those of quantised ones too."""
    found = {name.rpartition(".")[2] for name, part in network.named_modules() if isinstance(part, nn.Linear | Conv1D)}
    return sorted(found)


def _check_names(
    setting: str, names: Sequence[str], network: nn.Module, config: LanguageModelConfig, *, allowed: Sequence[str]
) -> None:
    known = [name for name, _ in network.named_modules()]
    for wanted in names:
        if not any(name == wanted or name.endswith(f".{wanted}") for name in known):
            raise UserError(f"{setting} names no layer of this model", where=config.path, allowed=allowed, got=wanted)
