"""Words and word sequences of many reports as numbers, so that overlaps with all of them are matrix products."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Occurrences", "occurrences"]

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Occurrences:
    """Which text has which occurrence of which n-gram.

    The second ``the`` of a text is another occurrence than its first, so two texts share as many occurrences as their
    n-grams overlap with clipped counts.

    Args:
        text: number of the text ``[R]``, rising.
        occurrence: number of the occurrence ``[R]``; a pair of text and occurrence stands once.
        kinds: how many numbers occurrences have.
    """

    text: Integers
    occurrence: Integers
    kinds: int


def occurrences(texts: Sequence[str], *, orders: int = 1) -> Iterator[Occurrences]:
    """Give the occurrences of n-grams of n = 1 to ``orders``.

    Args:
        texts: tokenised texts, tokens separated by white space.
        orders: the largest n.
    """
    numbers: dict[str, int] = {}
    words = [[numbers.setdefault(word, len(numbers)) for word in text.split()] for text in texts]
    lengths = np.array([len(one) for one in words], dtype=np.int64)
    token = np.fromiter((number for one in words for number in one), dtype=np.int64, count=int(lengths.sum()))
    del words
    text = np.repeat(np.arange(len(texts), dtype=np.int64), lengths)
    gram = token
    for n in range(1, orders + 1):
        if n > 1:
            # An n-gram is the (n-1)-gram before it and one token more, where both are of one text.
            inside = np.flatnonzero(text[: len(text) - n + 1] == text[n - 1 :]) if len(text) >= n else token[:0]
            longer = np.full(len(gram), -1, dtype=np.int64)
            pairs = gram[inside] * max(1, len(numbers)) + token[inside + n - 1]
            longer[inside] = np.unique(pairs, return_inverse=True)[1]
            gram = longer
        start = np.flatnonzero(gram >= 0)
        kinds = int(gram.max(initial=-1)) + 1
        keys = np.sort(text[start] * max(1, kinds) + gram[start])
        first = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else keys
        count = np.diff(np.r_[first, len(keys)])
        rank = np.arange(len(keys)) - np.repeat(first, count)
        of_text, of_gram = np.divmod(keys, max(1, kinds))
        found, occurrence = np.unique(rank * max(1, kinds) + of_gram, return_inverse=True)
        yield Occurrences(text=of_text, occurrence=occurrence, kinds=len(found))
