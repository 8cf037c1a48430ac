from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.benchmark.occurrences import occurrences

TEXTS = st.lists(st.lists(st.sampled_from("ab双"), max_size=7).map(" ".join), min_size=2, max_size=5)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_shared_occurrences_are_clipped_overlaps(texts: list[str]) -> None:
    """The overlap of the first two texts for n = 1 to 3, counted with multisets."""
    for n, found in enumerate(occurrences(texts, orders=3), start=1):
        own, other = (found.occurrence[found.text == i] for i in (0, 1))
        grams = [Counter(zip(*(text.split()[k:] for k in range(n)), strict=False)) for text in texts[:2]]
        assert len(np.intersect1d(own, other)) == (grams[0] & grams[1]).total()
        assert len(set(own.tolist())) == len(own) == grams[0].total()
        assert np.all(np.diff(found.text) >= 0)
