from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.benchmark.lengths import length_edges, length_histogram, report_lengths


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 900), max_size=30), st.lists(st.integers(0, 900), max_size=30))
def test_every_report_is_counted_once(references: list[int], own: list[int]) -> None:
    edges = length_edges(np.array(references, dtype=np.int64))
    assert edges[0] == 0
    assert len({b - a for a, b in pairwise(edges)}) == 1
    found = length_histogram(np.array(own, dtype=np.int64), edges, language="en")
    assert sum(found["counts"]) == len(own)
    assert found["empty"] == own.count(0)
    assert found["longest"] == max(own, default=0)


def test_bins_hold_their_lower_edge() -> None:
    lengths = report_lengths(["", "a", "a b", "a b c d", "a " * 90])
    found = length_histogram(lengths, [0, 2, 4, 6], language="zh")
    assert found["counts"] == [2, 1, 2]
    assert (found["unit"], found["median"], found["longest"]) == ("characters", 2.0, 90)
