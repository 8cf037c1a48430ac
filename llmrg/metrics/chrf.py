"""chrF (Popović 2015) as sacrebleu computes it, from counts a report.

sacrebleu itself offers no counts a report and takes six times as long; here n-grams are counted as arrays. A test holds
the figure against sacrebleu's.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt

from llmrg.metrics.metric import Statistics, require_pairs

__all__ = ["Chrf"]

_ORDERS = 6
_BETA = 2.0
_BLOCK = 256
_CODE_BITS = 63

Integers = npt.NDArray[np.int64]


class Chrf:
    """F-measure (beta 2) of character n-grams, n = 1..6, white space left out, 0 to 100.

    Precision and recall are means over those n for which both sides have n-grams.
    """

    name = "chrf"
    family = "chrf"
    on_tokens = False

    @property
    def settings(self) -> str:
        """Sacrebleu's own signature words, with the version that is installed."""
        try:
            found = version("sacrebleu")
        except PackageNotFoundError:
            found = "not-installed"
        return f"case:mixed|eff:yes|nc:{_ORDERS}|nw:0|space:no|sacrebleu:{found}"

    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> Statistics:
        """Return ``[N, 18]``: for n = 1..6 the n-grams of the report, those of the reference, the shared ones."""
        require_pairs(hypotheses, references)
        rows = np.zeros((len(hypotheses), _ORDERS, 3))
        for start in range(0, len(hypotheses), _BLOCK):
            block = slice(start, start + _BLOCK)
            _count(hypotheses[block], references[block], rows[block])
        # As sacrebleu: what has no counterpart in the reference is not held against the report.
        rows[..., 0] *= rows[..., 1] > 0
        return rows.reshape(len(rows), 3 * _ORDERS)

    def value(self, sums: Statistics) -> Any:
        """Return chrF for sums of statistics ``[..., 18]``."""
        sums = np.asarray(sums, dtype=np.float64)
        own, other, shared = np.moveaxis(sums.reshape(*sums.shape[:-1], _ORDERS, 3), -1, 0)
        both = (own > 0) & (other > 0)
        orders = np.maximum(1, both.sum(axis=-1))
        precision = np.divide(shared, own, out=np.zeros_like(own), where=both).sum(axis=-1) / orders
        recall = np.divide(shared, other, out=np.zeros_like(own), where=both).sum(axis=-1) / orders
        below = _BETA**2 * precision + recall
        above = (1 + _BETA**2) * precision * recall
        return 100 * np.divide(above, below, out=np.zeros_like(below), where=below > 0)


def _count(hypotheses: Sequence[str], references: Sequence[str], rows: npt.NDArray[np.float64]) -> None:
    """Fill ``rows [B, 6, 3]``."""
    texts = ["".join(text.split()) for text in (*hypotheses, *references)]
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    kinds, signs = np.unique(np.frombuffer(joined, dtype="<u4"), return_inverse=True)
    sign = signs.astype(np.int64)
    text = np.repeat(np.arange(len(texts), dtype=np.int64), lengths)
    pair = text % len(hypotheses)
    code, kinds_now = sign, max(1, len(kinds))
    for n in range(_ORDERS):
        if n:
            if (kinds_now * len(kinds) * len(hypotheses)).bit_length() > _CODE_BITS:
                distinct, numbers = np.unique(code, return_inverse=True)
                code, kinds_now = numbers.astype(np.int64), len(distinct)
            # An n-gram is an (n-1)-gram and the sign after it; those that run into the next text are left out below.
            code = code[: max(0, len(code) - 1)] * len(kinds) + sign[n:]
            kinds_now *= len(kinds)
        inside = text[: len(code)] == text[n:]
        first = text[: len(code)] < len(hypotheses)
        keys = pair[: len(code)] * kinds_now + code
        own, own_counts = np.unique(keys[inside & first], return_counts=True)
        other, other_counts = np.unique(keys[inside & ~first], return_counts=True)
        size = len(hypotheses)
        rows[:, n, 0] = np.maximum(0, lengths[:size] - n)
        rows[:, n, 1] = np.maximum(0, lengths[size:] - n)
        if len(other):
            place = np.minimum(np.searchsorted(other, own), len(other) - 1)
            mine = np.flatnonzero(other[place] == own)
            shared = np.minimum(own_counts[mine], other_counts[place[mine]])
            rows[:, n, 2] = np.bincount(own[mine] // kinds_now, weights=shared, minlength=size)
