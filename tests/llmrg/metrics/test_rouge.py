"""ROUGE-L against the table of the longest common subsequence, and its quirks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrg.metrics.rouge import RougeL, longest_common_subsequence

tokens = st.lists(st.sampled_from(["a", "b", "c", "肺", ""]), max_size=90)


def by_table(first, second):
    row = [0] * (len(second) + 1)
    for a in first:
        before = row
        row = [0]
        for place, b in enumerate(second):
            row.append(before[place] + 1 if a == b else max(before[place + 1], row[-1]))
    return row[-1]


@given(tokens, tokens)
def test_bits_equal_the_table(first, second):
    assert longest_common_subsequence(first, second) == by_table(first, second)


def one(hypothesis, reference):
    return RougeL().scores([hypothesis], [reference])[0]


def test_f_measure_by_hand():
    # LCS "heart is enlarged" = 3; P = 3/4, R = 3/6, F = 2.44 * .375 / (.5 + 1.44 * .75)
    assert one("heart is now enlarged", "the heart size is mildly enlarged") == pytest.approx(2.44 * 0.375 / 1.58)
    assert one("a b", "a b") == 1
    assert one("a b", "c d") == 0


def test_quirks_of_the_coco_code():
    assert one("", "") == 1
    assert one("", "a") == 0
    # Two spaces enclose an empty token: P = 2/3.
    assert one("a  b", "a b") == pytest.approx(2.44 * (2 / 3) / (1 + 1.44 * 2 / 3))


def test_corpus_is_the_mean():
    rouge = RougeL()
    statistics = rouge.statistics(["a b", "x", "a"], ["a b", "y", "b"])
    assert statistics.tolist() == [[1, 1], [0, 1], [0, 1]]
    assert float(rouge.value(statistics.sum(axis=0))) == pytest.approx(1 / 3)
