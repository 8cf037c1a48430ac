"""BLEU against its formula written out, and its properties."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrg.errors import UserError
from llmrg.metrics.bleu import Bleu

texts = st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join)


def written_out(pairs, order):
    matches, grams, length, reference_length = [0] * 4, [0] * 4, 0, 0
    for hypothesis, reference in pairs:
        h, r = hypothesis.split(), reference.split()
        length, reference_length = length + len(h), reference_length + len(r)
        for n in range(1, 5):
            mine = Counter(tuple(h[i : i + n]) for i in range(len(h) - n + 1))
            theirs = Counter(tuple(r[i : i + n]) for i in range(len(r) - n + 1))
            matches[n - 1] += (mine & theirs).total()
            grams[n - 1] += mine.total()
    product = math.prod((m + 1e-15) / (g + 1e-9) for m, g in list(zip(matches, grams, strict=True))[:order])
    ratio = (length + 1e-15) / (reference_length + 1e-9)
    return product ** (1 / order) * (math.exp(1 - 1 / ratio) if ratio < 1 else 1)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6), st.integers(1, 4))
def test_equals_the_formula(pairs, order):
    statistics = Bleu(order).statistics(*map(list, zip(*pairs, strict=True)))
    assert statistics.shape == (len(pairs), 10)
    assert float(Bleu(order).value(statistics.sum(axis=0))) == pytest.approx(written_out(pairs, order), rel=1e-12)


def test_identity_scores_one_and_a_short_text_is_punished():
    sentence = "the heart is of normal size and shape"
    for order in range(1, 5):
        bleu = Bleu(order)
        assert float(bleu.value(bleu.statistics([sentence], [sentence])[0])) == pytest.approx(1, abs=1e-8)
    half = Bleu(1).statistics(["the heart is of"], [sentence])
    assert float(Bleu(1).value(half[0])) == pytest.approx(math.exp(1 - 2), abs=1e-8)


def test_many_sums_at_once():
    bleu = Bleu(4)
    sums = np.array([[3, 2, 1, 0, 5, 4, 3, 2, 5, 9], [5, 4, 3, 2, 5, 4, 3, 2, 5, 5]], dtype=float)
    both = bleu.value(sums)
    assert both.shape == (2,)
    assert both.tolist() == [float(bleu.value(row)) for row in sums]


def test_empty_texts_and_bad_orders():
    bleu = Bleu(4)
    assert float(bleu.value(bleu.statistics([""], ["a b"])[0])) == 0
    assert float(bleu.value(bleu.statistics([""], [""])[0])) == 0
    with pytest.raises(UserError):
        Bleu(5)
    with pytest.raises(ValueError, match="1 hypotheses"):
        bleu.statistics(["a"], [])
