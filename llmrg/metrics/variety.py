"""How varied and how long the reports are: a system that always says the same shows here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmrg.metrics.metric import Statistics, mean_value, scores_as_statistics

__all__ = ["MeanLength", "distinct_ratio"]


def distinct_ratio(texts: Sequence[str]) -> float:
    """Return the number of different texts (white space aside) divided by the number of texts.

    It has no interval: a resample repeats texts, so resampling it would be biased downwards.
    """
    return len({" ".join(text.split()) for text in texts}) / len(texts)


class MeanLength:
    """Mean number of tokens of the generated reports."""

    name = "mean_length"
    family = "mean_length"
    on_tokens = True
    settings = ""

    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> Statistics:
        """Return ``[N, 2]``: each report's tokens (separated by white space), and 1; references do not matter."""
        return scores_as_statistics([len(hypothesis.split()) for hypothesis in hypotheses])

    def value(self, sums: Statistics) -> Any:
        """Return the mean length for sums of statistics ``[..., 2]``."""
        return mean_value(sums)
