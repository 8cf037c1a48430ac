"""CheXbert (Smit et al. 2020) from a local checkpoint, as a labeler.

BERT base with one linear head a class on the hidden state of the first token: four states for thirteen classes, two for
"No Finding". The checkpoint (``chexbert.pth``) is the authors'; nothing is fetched.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerBase

from llmrg.artefacts import file_hash
from llmrg.errors import UserError
from llmrg.findings.mention import Mention, Polarity
from llmrg.findings.vocabulary import get_vocabulary

__all__ = ["CheXbertLabeler"]

logger = logging.getLogger(__name__)

_LONGEST = 512
_HEAD_WIDTH = 64  # of an attention head in BERT base
_STATES: tuple[Polarity | None, ...] = (None, "positive", "negative", "uncertain")
_WRAPPER = "module."
# A buffer that older versions of transformers saved.
_IGNORED = "bert.embeddings.position_ids"


class CheXbertLabeler:
    """Labels English reports for chexpert14.

    Args:
        checkpoint: ``chexbert.pth``.
        tokenizer: folder of bert-base-uncased's tokenizer (``vocab.txt`` or ``tokenizer.json``).
        batch_size: reports a forward pass.
        device: where it computes.

    Raises:
        UserError: a file is not there, or is not what it should be.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        tokenizer: str | Path,
        *,
        batch_size: int = 16,
        device: str | torch.device = "cpu",
    ) -> None:
        self.vocabulary = get_vocabulary("chexpert14")
        checkpoint = Path(checkpoint).expanduser()
        weights = _read(checkpoint)
        self._tokenizer = _load_tokenizer(Path(tokenizer).expanduser())
        self._network = _Network(_configuration(weights, checkpoint), len(self.vocabulary))
        try:
            self._network.load_state_dict(weights)
        except RuntimeError as error:
            raise UserError(
                "The checkpoint does not have CheXbert's weights (names or shapes differ)", where=str(checkpoint)
            ) from error
        self._network.eval().requires_grad_(False).to(torch.device(device))
        self._device = torch.device(device)
        self._batch_size = batch_size
        self.version = f"chexbert-{file_hash(checkpoint)[:12]}"

    def label(self, text: str) -> dict[str, Mention]:
        """Return what a report says of each finding; a finding that is not mentioned is absent."""
        return self.label_many([text])[0]

    @torch.inference_mode()
    def label_many(self, texts: Iterable[str]) -> list[dict[str, Mention]]:
        """Label several reports, in order, in batches of similar length."""
        rows = [self._ids(text) for text in texts]
        cut = sum(len(row) == _LONGEST for row in rows)
        if cut:
            logger.warning("%d of %d reports reach %d tokens, the most that CheXbert reads", cut, len(rows), _LONGEST)
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
        found: list[dict[str, Mention]] = [{} for _ in rows]
        for start in range(0, len(order), self._batch_size):
            chosen = order[start : start + self._batch_size]
            ids = nn.utils.rnn.pad_sequence([torch.tensor(rows[place]) for place in chosen], batch_first=True)
            lengths = torch.tensor([len(rows[place]) for place in chosen])
            mask = torch.arange(ids.shape[1])[None] < lengths[:, None]
            states = torch.stack(
                [head.argmax(dim=1) for head in self._network(ids.to(self._device), mask.long().to(self._device))],
                dim=1,
            )
            for place, row in zip(chosen, states.tolist(), strict=True):
                found[place] = self._mentions(row)
        return found

    def _ids(self, text: str) -> list[int]:
        # CheXbert's own preparation: white space becomes single spaces; a lone surrogate cannot be encoded.
        plain = " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
        return list(self._tokenizer(plain, truncation=True, max_length=_LONGEST)["input_ids"])

    def _mentions(self, states: list[int]) -> dict[str, Mention]:
        polarities = {name: _STATES[state] for name, state in zip(self.vocabulary.names, states, strict=True)}
        return {
            name: Mention(finding=name, polarity=polarity)
            for name, polarity in polarities.items()
            if polarity is not None
        }


class _Network(nn.Module):
    def __init__(self, config: BertConfig, classes: int) -> None:
        super().__init__()
        self.bert = BertModel(config)
        sizes = [len(_STATES)] * (classes - 1) + [2]
        self.linear_heads = nn.ModuleList(nn.Linear(config.hidden_size, size) for size in sizes)

    def forward(self, ids: Tensor, mask: Tensor) -> list[Tensor]:
        first = self.bert(ids, attention_mask=mask).last_hidden_state[:, 0]
        return [head(first) for head in self.linear_heads]


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(
            "The CheXbert checkpoint is not there",
            where=str(path),
            next_step="get chexbert.pth from its authors (it may not be shared here), or use the rule labeler",
        )
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(f"The checkpoint cannot be read safely ({type(error).__name__})", where=str(path)) from error
    weights = content.get("model_state_dict") if isinstance(content, Mapping) else None
    if not isinstance(weights, Mapping) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise UserError("The checkpoint has no 'model_state_dict' of weights", where=str(path))
    named = {str(name).removeprefix(_WRAPPER): value for name, value in weights.items()}
    named.pop(_IGNORED, None)
    return named


def _configuration(weights: Mapping[str, Tensor], path: Path) -> BertConfig:
    try:
        words, hidden = weights["bert.embeddings.word_embeddings.weight"].shape
        layers = len({name.split(".")[3] for name in weights if name.startswith("bert.encoder.layer.")})
        return BertConfig(
            vocab_size=words,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=max(1, hidden // _HEAD_WIDTH),
            intermediate_size=len(weights["bert.encoder.layer.0.intermediate.dense.bias"]),
            max_position_embeddings=len(weights["bert.embeddings.position_embeddings.weight"]),
        )
    except (KeyError, ValueError) as error:
        raise UserError("The checkpoint does not have CheXbert's weights", where=str(path)) from error


def _load_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    if not path.is_dir():
        raise UserError(
            "The folder of bert-base-uncased's tokenizer is not there",
            where=str(path),
            next_step="name a folder with vocab.txt and tokenizer_config.json",
        )
    try:
        return cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(str(path), local_files_only=True))
    except Exception as error:
        raise UserError(f"The tokenizer cannot be loaded ({type(error).__name__})", where=str(path)) from error
