"""Reports as vectors: pooled hidden states of a frozen language model or encoder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from llmrg.errors import UserError
from llmrg.language.loading import resolve_model, weights_reference
from llmrg.language.settings import LanguageModelConfig
from llmrg.language.token_space import encode_ordinary

__all__ = ["Pooling", "TextEncoder"]

logger = logging.getLogger(__name__)
Pooling = Literal["mean", "cls"]


class TextEncoder:
    """Turns reports into unit vectors.

    An encoder with a class token (BERT and its kin) reads its texts between that and its separator, as it was trained;
    any other model reads them bare.

    Args:
        path: directory or hub name of any transformers encoder or causal LM; the embedded language model's artefact
            is the default choice of the configurations.
        revision: commit, tag or branch of a hub model.
        max_tokens: longest text read, special tokens among them; longer ones are cut, counted and warned of.
        pooling: the mean of the last hidden states, or that of the class token (AM-MRG reads Bio_ClinicalBERT so).
        device: where it computes.

    Raises:
        UserError: the path holds no usable model, or one without a class token where that is asked for.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        revision: str | None = None,
        max_tokens: int = 512,
        pooling: Pooling = "mean",
        device: str | torch.device = "cpu",
    ) -> None:
        self.path = str(path)
        self.revision = revision
        self.pooling = pooling
        directory = resolve_model(self.path)
        self._tokenizer: PreTrainedTokenizerBase = _tokenizer(self.path, revision=revision)
        around = (self._tokenizer.cls_token_id, self._tokenizer.sep_token_id)
        self._around: tuple[list[int], list[int]] = ([], [])
        if around[0] is not None and around[1] is not None:
            self._around = ([int(around[0])], [int(around[1])])
        elif pooling == "cls":
            raise UserError(
                "This model has no class token", where=self.path, next_step="set stages.text_encoder.pooling=mean"
            )
        options: dict[str, Any] = {"dtype": torch.float32, "use_safetensors": True}
        options |= {"local_files_only": True} if directory is not None else {"revision": revision}
        try:
            model = AutoModel.from_pretrained(str(directory or self.path), **options)
        except Exception as error:
            raise UserError(f"The text encoder cannot be loaded ({type(error).__name__})", where=self.path) from error
        self._model = cast(PreTrainedModel, model).eval().requires_grad_(False).to(torch.device(device))
        # A learnt position table has no place beyond its end; rotary models state a limit, too.
        longest = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        self.max_tokens = max_tokens if longest is None else min(max_tokens, int(longest))
        self._hash: str | None = None

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return int(self._model.config.get_text_config().hidden_size)

    @property
    def hash(self) -> str:
        """Sha256 that names weights, configuration and tokenizer, for manifests."""
        if self._hash is None:
            reference = weights_reference(LanguageModelConfig(path=self.path, revision=self.revision, tuning="frozen"))
            self._hash = f"{reference['weights']}:{reference['config']}:{reference['tokenizer']}"
        return self._hash

    @torch.no_grad()
    def encode(self, reports: Sequence[str], *, batch_size: int = 32) -> Tensor:
        """Encode reports, in batches of similar length.

        Args:
            reports: N texts; an empty one is read as end-of-text (or class token and separator) alone.
            batch_size: texts a forward pass.

        Returns:
            Float32 unit vectors ``[N, dimension]`` on the CPU, in the order given.
        """
        first, last = self._around
        room = self.max_tokens - len(first) - len(last)
        texts = [encode_ordinary(self._tokenizer, report) for report in reports]
        long = sum(len(text) > room for text in texts)
        rows = [[*first, *text[:room], *last] or [self._end()] for text in texts]
        if long:
            logger.warning("%d of %d texts are longer than %d tokens and were cut", long, len(rows), self.max_tokens)
        vectors = torch.zeros(len(rows), self.dimension)
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            vectors[chosen] = self._pool([rows[index] for index in chosen])
        return vectors

    def _end(self) -> int:
        """What an empty text is read as."""
        end = self._tokenizer.eos_token_id
        return int(end if end is not None else cast(int, self._tokenizer.pad_token_id))

    def _pool(self, rows: Sequence[Sequence[int]]) -> Tensor:
        device = self._model.device
        ids = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True).to(device)
        lengths = torch.tensor([len(row) for row in rows], device=device)
        mask = torch.arange(ids.shape[1], device=device)[None] < lengths[:, None]
        hidden = self._model(input_ids=ids, attention_mask=mask.long()).last_hidden_state.float()
        if self.pooling == "cls":
            return functional.normalize(hidden[:, 0], dim=-1).cpu()
        mean = (hidden * mask.unsqueeze(-1)).sum(dim=1) / lengths.unsqueeze(-1)
        return functional.normalize(mean, dim=-1).cpu()


def _tokenizer(path: str, *, revision: str | None) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model that only reads: one with a separator needs no end-of-text (BERT has none)."""
    directory = resolve_model(path)
    options: dict[str, Any] = {"local_files_only": True} if directory is not None else {"revision": revision}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(directory or path), **options)
    except Exception as error:
        raise UserError(
            f"The text encoder's tokenizer cannot be loaded ({type(error).__name__})", where=path
        ) from error
    if tokenizer.eos_token_id is None and tokenizer.sep_token_id is None:
        raise UserError(
            "The tokenizer has neither an end-of-text token nor a separator",
            where=path,
            next_step="set eos_token or sep_token in tokenizer_config.json",
        )
    return cast(PreTrainedTokenizerBase, tokenizer)
