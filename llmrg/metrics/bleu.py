"""BLEU as the COCO caption evaluation computes it (Papineni et al. 2002; pycocoevalcap 1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llmrg.errors import UserError
from llmrg.metrics._ngrams import paired_ngrams, sum_by_text
from llmrg.metrics.metric import Statistics, require_pairs

__all__ = ["Bleu"]

_ORDERS = 4
_SMALL, _TINY = 1e-9, 1e-15


class Bleu:
    """Corpus BLEU with n-grams up to ``order``, one reference a study; not the mean of sentence scores.

    With sums over the corpus of clipped matches ``c_n``, n-grams ``g_n``, lengths ``h`` and ``r``:
    ``BLEU_k = (prod_{n<=k} (c_n + 1e-15) / (g_n + 1e-9))^(1/k)``, times ``exp(1 - 1/q)`` where
    ``q = (h + 1e-15) / (r + 1e-9)`` is below 1.

    Args:
        order: 1 to 4.
    """

    family = "bleu"
    on_tokens = True
    settings = "coco1.2"

    def __init__(self, order: int = 4) -> None:
        if not 1 <= order <= _ORDERS:
            raise UserError(f"BLEU has no order {order}", allowed=("1", "2", "3", "4"))
        self.order = order
        self.name = f"bleu_{order}"

    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> Statistics:
        """Return ``[N, 10]``: clipped matches of n = 1..4, n-grams of n = 1..4, length, reference length.

        Args:
            hypotheses: tokenised texts, tokens separated by white space.
            references: likewise, one each.
        """
        require_pairs(hypotheses, references)
        studies = len(hypotheses)
        rows = np.zeros((studies, 2 * _ORDERS + 2))
        rows[:, -2] = [len(text.split()) for text in hypotheses]
        rows[:, -1] = [len(text.split()) for text in references]
        for n, (own, other) in enumerate(paired_ngrams(hypotheses, references, orders=_ORDERS)):
            mine, theirs = own.shared_with(other)
            clipped = np.minimum(own.count[mine], other.count[theirs])
            rows[:, n] = sum_by_text(own, clipped, texts=studies, rows=mine)
            rows[:, _ORDERS + n] = np.maximum(0, rows[:, -2] - n)
        return rows

    def value(self, sums: Statistics) -> Any:
        """Return BLEU for sums of statistics ``[..., 10]``."""
        sums = np.asarray(sums, dtype=np.float64)
        precisions = (sums[..., : self.order] + _TINY) / (sums[..., _ORDERS : _ORDERS + self.order] + _SMALL)
        ratio = (sums[..., -2] + _TINY) / (sums[..., -1] + _SMALL)
        penalty = np.where(ratio < 1, np.exp(1 - 1 / np.minimum(ratio, 1)), 1.0)
        return precisions.prod(axis=-1) ** (1 / self.order) * penalty
