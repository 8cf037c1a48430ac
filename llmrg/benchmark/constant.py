"""The one training report that, given to everybody, scores best on validation: what every system must beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from llmrg.benchmark.occurrences import occurrences
from llmrg.metrics.bleu import Bleu

__all__ = ["best_constant", "constant_scores"]

_ORDERS = 4


def best_constant(reports: Sequence[str], validation: Sequence[str], *, tokens: Callable[[str], str]) -> str:
    """Return the report with the best BLEU-4 on validation where every study is given it.

    All distinct reports are tried on all validation reports. Ties go to the more frequent report, then to the first.

    Args:
        reports: training reports, at least one.
        validation: validation reports; where there are none, the training reports stand in for them.
        tokens: cuts a text into tokens separated by spaces.
    """
    counts: dict[str, int] = {}
    for report in reports:
        counts[report] = counts.get(report, 0) + 1
    candidates = sorted(counts, key=lambda report: -counts[report])
    references = [text for text in validation if text.strip()] or list(reports)
    values = constant_scores([tokens(text) for text in candidates], [tokens(text) for text in references])
    return candidates[int(np.argmax(values))]


def constant_scores(candidates: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return the corpus BLEU-4 ``[C]`` of each candidate given to every study.

    Equal to :class:`llmrg.metrics.bleu.Bleu` of the candidate repeated for each reference: the clipped matches of an
    n-gram over all references are how many of them have its first, second, ... occurrence.

    Args:
        candidates: tokenised texts.
        references: likewise.
    """
    rows = np.zeros((len(candidates), 2 * _ORDERS + 2))
    length = np.array([len(text.split()) for text in candidates], dtype=np.float64)
    rows[:, -2] = length * len(references)
    rows[:, -1] = sum(len(text.split()) for text in references)
    for n, found in enumerate(occurrences([*candidates, *references], orders=_ORDERS)):
        border = int(np.searchsorted(found.text, len(candidates)))
        having = np.bincount(found.occurrence[border:], minlength=found.kinds)
        matches = having[found.occurrence[:border]]
        rows[:, n] = np.bincount(found.text[:border], weights=matches, minlength=len(candidates))
        rows[:, _ORDERS + n] = np.maximum(0, length - n) * len(references)
    return np.asarray(Bleu(_ORDERS).value(rows))
