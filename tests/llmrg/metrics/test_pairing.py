"""Ids: every study once, or an error."""

import pytest

from llmrg.errors import UserError
from llmrg.metrics.pairing import pair_up, read_keyed, reference_hash


def test_repeated_ids_are_seen_in_pairs():
    assert read_keyed([("a", 1), ("b", 2)], name="reports") == {"a": 1, "b": 2}
    with pytest.raises(UserError, match="'a' occurs twice"):
        read_keyed([("a", 1), ("a", 1)], name="reports")
    with pytest.raises(UserError, match="string"):
        read_keyed({1: "a"}, name="reports")


def test_ids_must_be_the_same():
    pair_up({"a": 1, "b": 2}, ["b", "a"], name="reports", against="references")
    with pytest.raises(UserError, match=r"1 ids of the references are missing from the reports.*'c'"):
        pair_up({"a": 1, "b": 2}, ["a", "b", "c"], name="reports", against="references")
    with pytest.raises(UserError, match="'b'"):
        pair_up({"a": 1, "b": 2}, ["a"], name="reports", against="references")
    pair_up({"a": 1, "b": 2}, ["a"], name="patients", against="references", superset=True)


def test_the_hash_of_references_sees_ids_texts_and_not_their_order():
    base = reference_hash(["a", "b"], ["one", "two"])
    assert base == reference_hash(["b", "a"], ["two", "one"])
    others = [(["a", "b"], ["two", "one"]), (["a", "c"], ["one", "two"]), (["a", "b"], ["on", "etwo"])]
    assert base not in {reference_hash(*other) for other in others}
    assert reference_hash(["a"], ["\ud800"]) != reference_hash(["a"], ["\ud801"])
