"""n-gram tables against counting with a dictionary."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrg.metrics import _ngrams
from llmrg.metrics._ngrams import paired_ngrams

texts = st.lists(st.sampled_from("abc"), max_size=8).map(" ".join)


@pytest.mark.parametrize("bits", [63, 6])  # with few bits, n-grams are numbered anew at every length
@given(pairs=st.lists(st.tuples(texts, texts), max_size=5))
def test_counts_and_shared_rows(bits, pairs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ngrams, "_KEY_BITS", bits)
        check(pairs)


def check(pairs):
    hypotheses, references = [h for h, _ in pairs], [r for _, r in pairs]
    for n, tables in enumerate(paired_ngrams(hypotheses, references, orders=4), start=1):
        counted = [
            [Counter(zip(*[text.split()[i:] for i in range(n)], strict=False)) for text in side]
            for side in (hypotheses, references)
        ]
        for table, wanted in zip(tables, counted, strict=True):
            for place, counter in enumerate(wanted):
                assert sorted(table.count[table.text == place].tolist()) == sorted(counter.values())
        first, second = tables[0].shared_with(tables[1])
        clipped = [0] * len(pairs)
        for a, b in zip(first, second, strict=True):
            assert tables[0].text[a] == tables[1].text[b]
            clipped[tables[0].text[a]] += min(tables[0].count[a], tables[1].count[b])
        assert clipped == [(a & b).total() for a, b in zip(*counted, strict=True)]
        assert len(first) == sum(len(a.keys() & b.keys()) for a, b in zip(*counted, strict=True))
