"""ROUGE-L as the COCO caption evaluation computes it (Lin 2004; pycocoevalcap 1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmrg.metrics.metric import Statistics, mean_value, scores_as_statistics

__all__ = ["RougeL", "longest_common_subsequence"]

_BETA = 1.2


def longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, 64 and more cells of the table at a time.

    The bits of one long integer are a row of the usual table (Crochemore et al. 2001, Hyyrö 2004).
    """
    places: dict[str, int] = {}
    for place, token in enumerate(first):
        places[token] = places.get(token, 0) | (1 << place)
    full = (1 << len(first)) - 1
    row = full
    for token in second:
        match = row & places.get(token, 0)
        row = ((row + match) | (row - match)) & full
    return len(first) - row.bit_count()


class RougeL:
    """Mean over studies of the F-measure (beta 1.2) of the longest common subsequence.

    Tokens are separated by single spaces, as in the COCO code: two spaces enclose an empty token, and two empty texts
    agree (1.0). The tokenizers of this room never leave double spaces.
    """

    name = "rouge_l"
    family = "rouge_l"
    on_tokens = True
    settings = "coco1.2"

    def scores(self, hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
        """Return the score of each study."""
        return [_rouge_l(h.split(" "), r.split(" ")) for h, r in zip(hypotheses, references, strict=True)]

    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> Statistics:
        """Return ``[N, 2]``: each study's score, and 1."""
        return scores_as_statistics(self.scores(hypotheses, references))

    def value(self, sums: Statistics) -> Any:
        """Return the mean score for sums of statistics ``[..., 2]``."""
        return mean_value(sums)


def _rouge_l(own: list[str], other: list[str]) -> float:
    common = longest_common_subsequence(own, other)
    if not common:
        return 0.0
    precision, recall = common / len(own), common / len(other)
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)
