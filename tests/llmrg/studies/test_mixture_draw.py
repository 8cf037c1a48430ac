"""The studies of an epoch: in the asked proportions, each as often as another, the same for seed and epoch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrg.errors import UserError
from llmrg.studies.mixture_draw import MixtureDraw, epoch_counts

MEMBERS = ["a"] * 90 + ["b"] * 10 + ["a"] * 10
SHARES = {"a": 0.75, "b": 0.25}


def draw(total: int = 100, seed: int = 1) -> MixtureDraw:
    return MixtureDraw.of(MEMBERS, SHARES, total=total, seed=seed)


@given(
    st.lists(st.floats(0.01, 1), min_size=1, max_size=6),
    st.integers(1, 10_000),
)
def test_counts_are_within_one_of_the_shares(raw: list[float], total: int) -> None:
    shares = {str(i): value / sum(raw) for i, value in enumerate(raw)}
    counts = epoch_counts(shares, total)
    assert sum(counts.values()) == total
    for name, share in shares.items():
        assert abs(counts[name] - share * total) < 1 + 1e-6


def test_an_epoch_holds_members_in_their_shares() -> None:
    for epoch in range(5):
        rows = draw().epoch(epoch)
        assert Counter(MEMBERS[row] for row in rows) == {"a": 75, "b": 25}
        assert len(rows) == len(draw()) == 100


def test_no_study_comes_before_all_others_of_its_member_have() -> None:
    """25 of b's ten studies in every epoch: over four epochs each ten times; a's 100 three times in 300."""
    several = draw()
    seen = Counter(row for epoch in range(4) for row in several.epoch(epoch).tolist())
    assert {seen[row] for row, member in enumerate(MEMBERS) if member == "b"} == {10}
    assert {seen[row] for row, member in enumerate(MEMBERS) if member == "a"} == {3}
    for epochs in range(1, 9):
        count = Counter(row for epoch in range(epochs) for row in several.epoch(epoch).tolist())
        for name in "ab":
            own = [count[row] for row, member in enumerate(MEMBERS) if member == name]
            assert max(own) - min(own) <= 1


def test_natural_shares_show_every_study_once() -> None:
    members = ["a"] * 7 + ["b"] * 3
    natural = MixtureDraw.of(members, {"a": 0.7, "b": 0.3}, total=10, seed=0)
    for epoch in range(3):
        assert sorted(natural.epoch(epoch).tolist()) == list(range(10))


def test_a_pure_function_of_seed_and_epoch() -> None:
    np.random.seed(0)
    state = np.random.get_state()[1].copy()  # type: ignore[union-attr,index]
    later = draw()
    expected = later.epoch(7)
    [later.epoch(epoch) for epoch in (0, 3, 1)]
    assert np.array_equal(draw().epoch(7), expected)
    assert np.array_equal(later.epoch(7), expected)
    assert not np.array_equal(draw().epoch(8), expected)
    assert not np.array_equal(draw(seed=2).epoch(7), expected)
    assert np.array_equal(np.random.get_state()[1], state)  # type: ignore[index]


def test_what_would_never_be_shown_is_refused() -> None:
    with pytest.raises(UserError, match="'b' gets none of the 10"):
        MixtureDraw.of(MEMBERS, {"a": 0.97, "b": 0.03}, total=10, seed=0)
    with pytest.raises(ValueError, match="needs items"):
        MixtureDraw.of(["a"], SHARES, total=10, seed=0)
