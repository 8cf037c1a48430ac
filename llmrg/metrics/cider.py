"""CIDEr as the COCO caption evaluation computes it (Vedantam et al. 2015, its variant D; pycocoevalcap 1.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from llmrg.metrics._ngrams import Floats, NGramTable, paired_ngrams, sum_by_text
from llmrg.metrics.metric import Statistics, mean_value, require_pairs, scores_as_statistics

__all__ = ["Cider"]

_ORDERS = 4
_SIGMA = 6.0


class Cider:
    """Mean over studies of the clipped TF-IDF cosine of n-grams (n = 1..4), times 10.

    For each n ``sum_g min(h_g, r_g) r_g / (|h| |r|) * exp(-d^2 / 72)``, with ``d`` the difference in bigrams. Document
    frequencies are those of the references that are evaluated, so figures of different test sets cannot be compared,
    and one study alone scores 0. In resampling they stay those of the whole set: a study's score is fixed.
    """

    name = "cider"
    family = "cider"
    on_tokens = True
    settings = "coco1.2"

    def scores(self, hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
        """Return the score of each study (0 to 10).

        Args:
            hypotheses: tokenised texts, tokens separated by white space.
            references: likewise, one each.
        """
        require_pairs(hypotheses, references)
        studies = len(references)
        likeness = np.array([_length_likeness(h, r) for h, r in zip(hypotheses, references, strict=True)])
        total = np.zeros(studies)
        for own, other in paired_ngrams(hypotheses, references, orders=_ORDERS):
            first, second = (table.count * _rarity(table, other, studies) for table in (own, other))
            mine, theirs = own.shared_with(other)
            agreement = np.minimum(first[mine], second[theirs]) * second[theirs]
            value = sum_by_text(own, agreement, texts=studies, rows=mine)
            lengths = np.sqrt(sum_by_text(own, first**2, texts=studies) * sum_by_text(other, second**2, texts=studies))
            total += np.divide(value, lengths, out=value, where=lengths > 0) * likeness
        return [float(score) for score in total / _ORDERS * 10]

    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> Statistics:
        """Return ``[N, 2]``: each study's score, and 1."""
        return scores_as_statistics(self.scores(hypotheses, references))

    def value(self, sums: Statistics) -> Any:
        """Return the mean score for sums of statistics ``[..., 2]``."""
        return mean_value(sums)


def _rarity(table: NGramTable, references: NGramTable, studies: int) -> Floats:
    """Return for each row how rare its n-gram is among the references."""
    grams, holders = np.unique(references.gram, return_counts=True)
    if not len(grams):
        return np.full(len(table.gram), math.log(max(1, studies)))
    place = np.minimum(np.searchsorted(grams, table.gram), len(grams) - 1)
    known = np.where(grams[place] == table.gram, holders[place], 1)
    return math.log(max(1, studies)) - np.log(known)


def _length_likeness(hypothesis: str, reference: str) -> float:
    bigrams = [max(0, len(text.split()) - 1) for text in (hypothesis, reference)]
    return math.exp(-((bigrams[0] - bigrams[1]) ** 2) / (2 * _SIGMA**2))
