"""Reports as vectors: mean-pooled hidden states of a frozen language model or encoder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerBase

from llmrg.errors import UserError
from llmrg.language.loading import load_tokenizer, resolve_model, weights_reference
from llmrg.language.settings import LanguageModelConfig
from llmrg.language.token_space import encode_ordinary

__all__ = ["TextEncoder"]

logger = logging.getLogger(__name__)


class TextEncoder:
    """Turns reports into unit vectors.

    Args:
        path: directory or hub name of any transformers encoder or causal LM; the embedded language model's artefact
            is the default choice of the configurations.
        revision: commit, tag or branch of a hub model.
        max_tokens: longest text read; longer ones are cut, counted and warned of.
        device: where it computes.

    Raises:
        UserError: the path holds no usable model.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        revision: str | None = None,
        max_tokens: int = 512,
        device: str | torch.device = "cpu",
    ) -> None:
        self.path = str(path)
        self.revision = revision
        self.max_tokens = max_tokens
        self._tokenizer: PreTrainedTokenizerBase = load_tokenizer(self.path, revision=revision)
        directory = resolve_model(self.path)
        options: dict[str, Any] = {"dtype": torch.float32, "use_safetensors": True}
        options |= {"local_files_only": True} if directory is not None else {"revision": revision}
        try:
            model = AutoModel.from_pretrained(str(directory or self.path), **options)
        except Exception as error:
            raise UserError(f"The text encoder cannot be loaded ({type(error).__name__})", where=self.path) from error
        self._model = cast(PreTrainedModel, model).eval().requires_grad_(False).to(torch.device(device))
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
            reports: N texts; an empty one is read as end-of-text alone.
            batch_size: texts a forward pass.

        Returns:
            Float32 unit vectors ``[N, dimension]`` on the CPU, in the order given.
        """
        rows = [encode_ordinary(self._tokenizer, report) or [int(self._tokenizer.eos_token_id)] for report in reports]
        long = sum(len(row) > self.max_tokens for row in rows)
        if long:
            logger.warning("%d of %d texts are longer than %d tokens and were cut", long, len(rows), self.max_tokens)
        vectors = torch.zeros(len(rows), self.dimension)
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            vectors[chosen] = self._pool([rows[index][: self.max_tokens] for index in chosen])
        return vectors

    def _pool(self, rows: Sequence[Sequence[int]]) -> Tensor:
        device = self._model.device
        ids = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True).to(device)
        lengths = torch.tensor([len(row) for row in rows], device=device)
        mask = torch.arange(ids.shape[1], device=device)[None] < lengths[:, None]
        hidden = self._model(input_ids=ids, attention_mask=mask.long()).last_hidden_state.float()
        mean = (hidden * mask.unsqueeze(-1)).sum(dim=1) / lengths.unsqueeze(-1)
        return functional.normalize(mean, dim=-1).cpu()
