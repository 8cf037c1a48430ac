from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from llmrg.studies.splits import overlapping_patients, split_of


def test_shares_are_met() -> None:
    counts = {"train": 0, "val": 0, "test": 0}
    for number in range(20_000):
        counts[split_of(f"patient{number}")] += 1
    assert abs(counts["train"] / 20_000 - 0.7) < 0.012
    assert abs(counts["val"] / 20_000 - 0.1) < 0.008
    assert abs(counts["test"] / 20_000 - 0.2) < 0.011


@given(st.text(min_size=1, max_size=20))
def test_it_is_the_sha256_of_the_identifier(patient: str) -> None:
    position = int(hashlib.sha256(patient.encode()).hexdigest(), 16) / 2**256
    expected = "train" if position < 0.7 else "val" if position < 0.8 else "test"
    assert split_of(patient) == expected


def test_seeds_give_other_splits_and_fractions_may_be_zero() -> None:
    patients = [f"p{number}" for number in range(500)]
    assert [split_of(p) for p in patients] != [split_of(p, seed=1) for p in patients]
    assert {split_of(p, fractions=(0.0, 0.0, 1.0)) for p in patients} == {"test"}
    assert {split_of(p, fractions=(0.5, 0.5, 0.0)) for p in patients} == {"train", "val"}
    assert {split_of(p, fractions=(1.0, 0.0, 0.0)) for p in patients} == {"train"}


def test_overlap_names_patients_by_pair_of_splits() -> None:
    pairs = [("a", "train"), ("b", "val"), ("a", "train"), ("c", "test"), ("b", "train"), ("c", "train"), ("c", "val")]
    assert overlapping_patients(pairs) == {
        ("train", "val"): ("b", "c"),
        ("train", "test"): ("c",),
        ("val", "test"): ("c",),
    }
    assert overlapping_patients([("a", "train"), ("b", "test")]) == {}
