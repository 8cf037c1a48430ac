"""Models that scoring needs only where they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llmrg.errors import UserError

if TYPE_CHECKING:
    from llmrg.findings.labeler import Labeler
    from llmrg.metrics.wording import WordingMetric

__all__ = ["load_bertscore", "load_chexbert"]


def load_bertscore(model: Path | None, *, layer: int | None, idf: bool) -> tuple[WordingMetric, ...]:
    """Return BERTScore's precision, recall and F1.

    Raises:
        UserError: no model was named, or it cannot be used.
    """
    if model is None:
        raise UserError("BERTScore needs an encoder", next_step="name its folder with --bertscore-model")
    from llmrg.language.bertscore import BertScoreEncoder, bertscore_metrics

    return bertscore_metrics(BertScoreEncoder(model, layer=layer, idf=idf))


def load_chexbert(
    checkpoint: Path | None, tokenizer: Path | None, *, language: str, vocabulary: str | None
) -> Labeler | None:
    """Return the labeler of a CheXbert checkpoint, or None where none was named.

    Raises:
        UserError: no tokenizer, reports that are not English, other findings, or files that cannot be used.
    """
    if checkpoint is None:
        return None
    if tokenizer is None:
        raise UserError("CheXbert needs a tokenizer", next_step="name its folder with --chexbert-tokenizer")
    if language != "en" or vocabulary not in (None, "chexpert14"):
        raise UserError("CheXbert reads English reports for the findings of chexpert14 only")
    from llmrg.language.chexbert import CheXbertLabeler

    return CheXbertLabeler(checkpoint, tokenizer)
