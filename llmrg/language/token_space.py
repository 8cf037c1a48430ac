"""The decoder's token space, as evidence sources see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from llmrg.language.divided import full_size
from llmrg.language.llm import LanguageModel

__all__ = ["TokenSpace", "encode_ordinary", "encode_words"]


class TokenSpace:
    """Embeds words and tells how large word vectors are, so that projected vectors can match them.

    Args:
        language_model: the decoder. Its weights stay its own: this object is not a module.
    """

    def __init__(self, language_model: LanguageModel) -> None:
        self._model = language_model
        self._scale: float | None = None

    @property
    def size(self) -> int:
        """Width of the token space."""
        return self._model.hidden_size

    @property
    def scale(self) -> float:
        """Median Euclidean norm of the word vectors (as the model reads them: Gemma's are scaled), found once."""
        if self._scale is None:
            words = torch.arange(full_size(self._model.causal.get_input_embeddings().weight)[0]).split(8192)
            if self._model.device.type == "meta":
                return 1.0
            with torch.no_grad():
                norms = torch.cat([self._model.embed(ids.to(self.device)).float().norm(dim=1) for ids in words])
            self._scale = float(norms[norms > 0].median()) if bool((norms > 0).any()) else 1.0
        return self._scale

    @property
    def dtype(self) -> torch.dtype:
        """Type of word vectors."""
        return self._model.dtype

    @property
    def device(self) -> torch.device:
        """Where word vectors are."""
        return self._model.device

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of words, special tokens in them read as ordinary characters."""
        return [len(encode_ordinary(self._model.tokenizer, text)) for text in texts]

    def embed(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Embed words, one row a text, special tokens in them read as ordinary characters.

        Returns:
            Vectors ``[B, K, size]`` and mask ``[B, K]`` (bool), padded on the right with zeros; K is at least 1.
        """
        rows = [torch.tensor(encode_ordinary(self._model.tokenizer, text), dtype=torch.long) for text in texts]
        lengths = torch.tensor([len(row) for row in rows])
        ids = nn.utils.rnn.pad_sequence([*rows, torch.zeros(1, dtype=torch.long)], batch_first=True)[:-1]
        mask = (torch.arange(ids.shape[1])[None] < lengths[:, None]).to(self.device)
        return self._model.embed(ids.to(self.device)) * mask.unsqueeze(-1), mask


def encode_ordinary(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Tokenise words from outside: nothing is added, and special tokens written in them are not obeyed."""
    return encode_words(tokenizer, text, ordinary=True)


def encode_words(
    tokenizer: PreTrainedTokenizerBase, text: str, *, ordinary: bool = False, continues: bool = False
) -> list[int]:
    """Tokenise words, and add nothing.

    Args:
        tokenizer: the tokenizer.
        text: the words.
        ordinary: special tokens written in them are read as ordinary characters.
        continues: the words go on from others, so that a tokenizer that puts a space before every text must not.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")

    def encode(words: str) -> list[int]:
        return cast("list[int]", tokenizer(words, add_special_tokens=False, split_special_tokens=ordinary).input_ids)

    if continues:
        start, whole = encode("\n"), encode("\n" + text)
        if whole[: len(start)] == start:
            return whole[len(start) :]
    return encode(text)
