"""CIDEr against its formula written out, and what follows from it."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrg.metrics.cider import Cider

texts = st.lists(st.sampled_from("abcde"), max_size=9).map(" ".join)


def grams(text, n):
    words = text.split()
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def written_out(hypotheses, references):
    scores = []
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        total = 0.0
        for n in range(1, 5):

            def weight(gram, n=n):
                holders = sum(gram in grams(other, n) for other in references)
                return math.log(len(references)) - math.log(max(1, holders))

            h = {gram: count * weight(gram) for gram, count in grams(hypothesis, n).items()}
            r = {gram: count * weight(gram) for gram, count in grams(reference, n).items()}
            value = sum(min(h[gram], r[gram]) * r[gram] for gram in h.keys() & r.keys())
            norm = math.sqrt(sum(x * x for x in h.values())) * math.sqrt(sum(x * x for x in r.values()))
            difference = max(0, len(hypothesis.split()) - 1) - max(0, len(reference.split()) - 1)
            total += (value / norm if norm else value) * math.exp(-(difference**2) / 72)
        scores.append(total / 4 * 10)
    return scores


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
def test_equals_the_formula(pairs):
    hypotheses, references = map(list, zip(*pairs, strict=True))
    assert Cider().scores(hypotheses, references) == pytest.approx(written_out(hypotheses, references), abs=1e-9)


def test_what_follows_from_the_formula():
    references = ["heart normal", "lungs are free of focal opacity", "no fracture is seen today"]
    scores = Cider().scores(references, references)
    assert scores == pytest.approx([5, 10, 10])  # two words have no 3-grams and 4-grams
    assert Cider().scores(["heart normal"], ["heart normal"]) == [0]  # one study: nothing is rare
    assert Cider().scores([], []) == []


def test_order_of_studies_does_not_matter():
    hypotheses, references = ["a b c", "d e", "a a"], ["a b d", "d e f", "b a"]
    forward = Cider().scores(hypotheses, references)
    assert Cider().scores(hypotheses[::-1], references[::-1])[::-1] == pytest.approx(forward, abs=1e-12)
