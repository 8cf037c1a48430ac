"""Merge what a language model learnt into its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from llmrg.language.llm import LanguageModel
from llmrg.language.settings import LanguageModelConfig


def merge_language_model(
    config: LanguageModelConfig,
    state: Mapping[str, Tensor],
    out: Path,
    *,
    reference: Mapping[str, str | None],
) -> None:
    """Load the base model, put the learnt weights in, merge adapters, and save in the ordinary transformers format.

    Args:
        config: of the language model; its path names the base model.
        state: the learnt weights (:meth:`LanguageModel.trainable_state_dict`).
        out: directory to write into.
        reference: the base model that the run was trained with.

    Raises:
        UserError: another base model, or weights that do not fit it.
    """
    model = LanguageModel(config)
    model.check_reference(reference)
    model.load_trainable_state_dict(state)
    network: Any = model.network
    if config.tuning == "lora":
        network = network.merge_and_unload(safe_merge=True)
    words, answers = network.get_input_embeddings(), network.get_output_embeddings()
    if answers is not None and words.weight.data_ptr() != answers.weight.data_ptr():
        network.config.tie_word_embeddings = False  # one of the two was trained by itself
    network.config._name_or_path = ""
    network.save_pretrained(out, safe_serialization=True)
    model.tokenizer.name_or_path = ""
    model.tokenizer.save_pretrained(out)
