"""The embedded default: a small language model and its tokenizer, in the ordinary transformers format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

__all__ = ["EmbeddedModelConfig", "build_model", "train_tokenizer"]

END_OF_TEXT = "<|endoftext|>"
PADDING = "<|pad|>"


@dataclass(frozen=True, kw_only=True)
class EmbeddedModelConfig:
    """Size of the embedded language model (a Qwen3).

    Args:
        vocabulary_size: most tokens of the vocabulary, the 256 bytes and two special tokens included.
        max_token_bytes: longest token in bytes (a Chinese character has three); a whole templated clause as one token
            would hide its words.
        hidden_size: width.
        layers: depth.
        heads: attention heads.
        intermediate_size: width of the MLP.
        max_positions: longest sequence.
    """

    vocabulary_size: int = 1024
    max_token_bytes: int = 18
    hidden_size: int = 192
    layers: int = 3
    heads: int = 4
    intermediate_size: int = 512
    max_positions: int = 2048

    def __post_init__(self) -> None:
        if self.vocabulary_size < 258:
            raise ValueError("vocabulary_size must be at least 258 (256 bytes and two special tokens)")
        if self.hidden_size % (2 * self.heads):
            raise ValueError("hidden_size must be a multiple of twice the heads")
        if min(self.max_token_bytes, self.layers, self.intermediate_size, self.max_positions) < 1:
            raise ValueError("the sizes of the embedded language model must be positive")


def train_tokenizer(
    texts: Iterable[str], *, vocabulary_size: int = 1024, max_token_bytes: int = 18
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer; any text survives encoding and decoding.

    Digits stand alone, so that sizes and ages are read figure by figure.

    Args:
        texts: the training split's reports (and the prompts' words), nothing else.
        vocabulary_size: most tokens, bytes and special tokens included.
        max_token_bytes: longest token, in UTF-8 bytes.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size - 2,
        min_frequency=2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=max_token_bytes,
        show_progress=False,
    )
    tokenizer.train_from_iterator((t.encode("utf-8", "replace").decode("utf-8") for t in texts), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END_OF_TEXT, pad_token=PADDING)


def build_model(tokenizer: PreTrainedTokenizerBase, config: EmbeddedModelConfig, *, seed: int = 0) -> PreTrainedModel:
    """Build an untrained Qwen3 for ``tokenizer``; the global random state is left as it was."""
    settings = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        head_dim=config.hidden_size // config.heads,
        intermediate_size=config.intermediate_size,
        max_position_embeddings=config.max_positions,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return cast(PreTrainedModel, Qwen3ForCausalLM(settings))
