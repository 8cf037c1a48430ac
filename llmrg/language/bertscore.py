"""BERTScore (Zhang et al. 2020): greedy matching of contextual word vectors, with a local encoder.

It needs torch, so it lives here and not among the metrics; it has the shape of one and is handed to the scorer by
whoever asks for it. A report with the opposite finding still scores some .9: never a headline.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from llmrg.artefacts import file_hash
from llmrg.errors import UserError
from llmrg.language.loading import resolve_model

__all__ = ["BERTSCORE_FIGURES", "BertScore", "BertScoreEncoder", "bertscore_metrics"]

logger = logging.getLogger(__name__)

BERTSCORE_FIGURES = ("bertscore_precision", "bertscore_recall", "bertscore_f1")
_LONGEST = 512
# Tokenizers that tell a word at the start of a text from the same word inside, as the bert_score package treats them.
_SPACE_BEFORE = ("Roberta", "GPT2")

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Sentence:
    vectors: Tensor
    weights: Tensor


class BertScoreEncoder:
    """Precision, recall and F1 of pairs of texts.

    Each token's unit vector is matched with the most similar one of the other text; special tokens weigh nothing, but
    others may match them, as in the bert_score package.

    Args:
        path: folder with an encoder and its tokenizer in the transformers format.
        layer: whose hidden states are compared, 0 is the embeddings; None takes the last.
        idf: weigh tokens by their rarity in the references.
        baseline: precision, recall and F1 of unrelated texts; figures become ``(x - b) / (1 - b)``.
        batch_size: texts a forward pass.
        device: where it computes.

    Raises:
        UserError: no usable encoder, a layer that it does not have, or a baseline of 1.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        layer: int | None = None,
        idf: bool = False,
        baseline: tuple[float, float, float] | None = None,
        batch_size: int = 32,
        device: str | torch.device = "cpu",
    ) -> None:
        directory = Path(path).expanduser()
        if not directory.is_dir():
            raise UserError(
                "BERTScore needs a local encoder",
                where=str(path),
                next_step="name a folder with config.json, tokenizer and safetensors weights",
            )
        resolve_model(str(directory))
        if baseline is not None and any(not value < 1 for value in baseline):
            raise UserError("A baseline of BERTScore must be below 1")
        try:
            self._tokenizer = cast(
                PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(str(directory), local_files_only=True)
            )
            model = AutoModel.from_pretrained(
                str(directory), local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
        except Exception as error:
            raise UserError(f"The encoder cannot be loaded ({type(error).__name__})", where=str(path)) from error
        self._model = cast(PreTrainedModel, model).eval().requires_grad_(False).to(torch.device(device))
        layers = int(self._model.config.get_text_config().num_hidden_layers)
        if layer is not None and not 0 <= layer <= layers:
            raise UserError(f"The encoder has no layer {layer}", where=str(path), allowed=(f"0 to {layers}",))
        self._layer = layers if layer is None else layer
        self._idf = idf
        self._baseline = baseline
        self._batch_size = batch_size
        positions = int(getattr(self._model.config, "max_position_embeddings", _LONGEST))
        self._longest = min(_LONGEST, positions, int(self._tokenizer.model_max_length))
        weights = sorted(directory.glob("*.safetensors"))
        self.settings = "|".join(
            (
                f"model:{file_hash(weights[0])[:12]}",
                f"layer:{self._layer}",
                f"idf:{'references' if idf else 'no'}",
                f"rescaled:{'no' if baseline is None else ','.join(f'{value:g}' for value in baseline)}",
                f"longest:{self._longest}",
            )
        )

    def scores(self, hypotheses: Sequence[str], references: Sequence[str]) -> Rows:
        """Return precision, recall and F1 of each pair ``[N, 3]``; an empty text scores 0 (before any rescaling).

        Args:
            hypotheses: N texts.
            references: as many.
        """
        ids = {text: self._ids(text) for text in (*hypotheses, *references)}
        cut = sum(len(row) == self._longest for row in ids.values())
        if cut:
            logger.warning("%d texts reach %d tokens, the most that the encoder reads", cut, self._longest)
        rarity = self._rarity([ids[text] for text in references])
        sentences = self._encode(ids, rarity)
        rows = np.zeros((len(references), 3))
        for row, hypothesis, reference in zip(rows, hypotheses, references, strict=True):
            row[:] = _match(sentences[hypothesis], sentences[reference])
        if self._baseline is not None:
            base = np.array(self._baseline)
            rows = (rows - base) / (1 - base)
        return rows

    def _ids(self, text: str) -> tuple[int, ...]:
        # A lone surrogate cannot be encoded.
        text = text.encode("utf-8", "replace").decode("utf-8").strip()
        if text and type(self._tokenizer).__name__.startswith(_SPACE_BEFORE):
            text = f" {text}"
        return tuple(self._tokenizer(text, truncation=True, max_length=self._longest)["input_ids"])

    def _rarity(self, references: Sequence[tuple[int, ...]]) -> dict[int, float] | None:
        if not self._idf:
            return None
        holders = Counter(token for row in references for token in set(row))
        return {token: math.log((len(references) + 1) / (count + 1)) for token, count in holders.items()} | {
            -1: math.log(len(references) + 1)
        }

    @torch.inference_mode()
    def _encode(self, ids: dict[str, tuple[int, ...]], rarity: dict[int, float] | None) -> dict[str, _Sentence]:
        special = set(self._tokenizer.all_special_ids) - {self._tokenizer.unk_token_id}
        texts = sorted(ids, key=lambda text: len(ids[text]))
        found: dict[str, _Sentence] = {}
        for start in range(0, len(texts), self._batch_size):
            batch = texts[start : start + self._batch_size]
            rows = [torch.tensor(ids[text], dtype=torch.long) for text in batch]
            tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(self._model.device)
            lengths = torch.tensor([len(row) for row in rows], device=tokens.device)
            mask = torch.arange(tokens.shape[1], device=tokens.device)[None] < lengths[:, None]
            hidden: Any = torch.zeros(len(rows), 0, 1)
            if tokens.shape[1]:
                output = self._model(input_ids=tokens, attention_mask=mask.long(), output_hidden_states=True)
                hidden = functional.normalize(output.hidden_states[self._layer].float(), dim=-1).cpu()
            for text, vectors in zip(batch, hidden, strict=True):
                weights = [_weight(token, special, rarity) for token in ids[text]]
                found[text] = _Sentence(vectors[: len(weights)], torch.tensor(weights, dtype=torch.float64))
        return found


class BertScore:
    """One figure of BERTScore, the mean over pairs; the three share their statistics.

    Args:
        encoder: computes the pairs.
        figure: one of :data:`BERTSCORE_FIGURES`.
    """

    family = "bertscore"
    on_tokens = False

    def __init__(self, encoder: BertScoreEncoder, figure: str) -> None:
        self._encoder = encoder
        self.name = figure
        self._place = BERTSCORE_FIGURES.index(figure)

    @property
    def settings(self) -> str:
        """Encoder, layer, weights, rescaling, for signatures."""
        return self._encoder.settings

    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> Rows:
        """Return ``[N, 4]``: precision, recall, F1 of each pair, and 1."""
        return np.hstack([self._encoder.scores(hypotheses, references), np.ones((len(references), 1))])

    def value(self, sums: Rows) -> Any:
        """Return the mean for sums of statistics ``[..., 4]``."""
        sums = np.asarray(sums, dtype=np.float64)
        return sums[..., self._place] / sums[..., 3]


def bertscore_metrics(encoder: BertScoreEncoder) -> tuple[BertScore, ...]:
    """Return precision, recall and F1."""
    return tuple(BertScore(encoder, figure) for figure in BERTSCORE_FIGURES)


def _weight(token: int, special: set[int], rarity: dict[int, float] | None) -> float:
    if token in special:
        return 0.0
    return 1.0 if rarity is None else rarity.get(token, rarity[-1])


def _match(own: _Sentence, other: _Sentence) -> tuple[float, float, float]:
    if own.weights.sum() == 0 or other.weights.sum() == 0:
        return 0.0, 0.0, 0.0
    likeness = (own.vectors @ other.vectors.T).double()
    precision = float((likeness.amax(dim=1) * own.weights).sum() / own.weights.sum())
    recall = float((likeness.amax(dim=0) * other.weights).sum() / other.weights.sum())
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0
