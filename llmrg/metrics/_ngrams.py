"""n-grams of many texts at once, as arrays of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Of a number that names text and n-gram.
_KEY_BITS = 63


@dataclass(frozen=True, kw_only=True)
class NGramTable:
    """How often each text has each n-gram that it has; rows are ordered by text, then n-gram.

    Args:
        text: which text ``[R]``.
        gram: number of the n-gram ``[R]``, the same in both tables of a pair; most numbers up to ``kinds`` are of none.
        count: how often ``[R]``.
        kinds: larger than any number.
    """

    text: Integers
    gram: Integers
    count: Integers
    kinds: int

    def shared_with(self, other: NGramTable) -> tuple[Integers, Integers]:
        """Return the rows of this table, and those of the other, that tell of the same n-gram in the same text."""
        own, theirs = self.text * self.kinds + self.gram, other.text * other.kinds + other.gram
        if not len(theirs):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        # Both are in order, which makes looking up quick.
        place = np.minimum(np.searchsorted(theirs, own), len(theirs) - 1)
        first = np.flatnonzero(theirs[place] == own)
        return first, place[first]


def sum_by_text(table: NGramTable, weights: npt.ArrayLike, *, texts: int, rows: Integers | None = None) -> Floats:
    """Return the weights of rows (all, or those given) added up for each text ``[texts]``."""
    chosen = table.text if rows is None else table.text[rows]
    # Without any row, NumPy would count in integers.
    return np.bincount(chosen, weights=weights, minlength=texts).astype(np.float64)


def paired_ngrams(
    hypotheses: Sequence[str], references: Sequence[str], *, orders: int
) -> Iterator[tuple[NGramTable, NGramTable]]:
    """Give the tables of hypotheses and references for n = 1 to ``orders``.

    Args:
        hypotheses: tokenised texts, tokens separated by white space.
        references: likewise, as many.
        orders: the largest n.
    """
    numbers: dict[str, int] = {}
    words = [[numbers.setdefault(word, len(numbers)) for word in text.split()] for text in (*hypotheses, *references)]
    token = np.array([number for text in words for number in text], dtype=np.int64)
    text = np.repeat(np.arange(len(words), dtype=np.int64), [len(one) for one in words])
    gram, kinds = token, max(1, len(numbers))
    for n in range(1, orders + 1):
        if n > 1:
            if (kinds * len(numbers) * len(words)).bit_length() > _KEY_BITS:
                distinct, dense = np.unique(gram, return_inverse=True)
                gram, kinds = dense.astype(np.int64), len(distinct)
            # An n-gram is an (n-1)-gram and the token after it, as long as both are of one text (below).
            gram = gram[: max(0, len(gram) - 1)] * max(1, len(numbers)) + token[n - 1 :]
            kinds *= max(1, len(numbers))
        start = np.flatnonzero(text[: len(gram)] == text[n - 1 :])
        keys, counts = np.unique(text[start] * kinds + gram[start], return_counts=True)
        of_text, of_gram = np.divmod(keys, kinds)
        border = int(np.searchsorted(of_text, len(hypotheses)))
        yield (
            NGramTable(text=of_text[:border], gram=of_gram[:border], count=counts[:border], kinds=kinds),
            NGramTable(
                text=of_text[border:] - len(hypotheses), gram=of_gram[border:], count=counts[border:], kinds=kinds
            ),
        )
