from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from llmrg.benchmark import nearest_reference
from llmrg.benchmark.nearest_reference import nearest_by_reference


def unigram_f1(first: str, second: str) -> float:
    one, two = Counter(first.split()), Counter(second.split())
    return 2 * (one & two).total() / max(1, one.total() + two.total())


@pytest.mark.parametrize("dense", [1, 4, 768])
def test_it_is_the_best_of_all(monkeypatch: pytest.MonkeyPatch, dense: int) -> None:
    monkeypatch.setattr(nearest_reference, "_DENSE", dense)
    monkeypatch.setattr(nearest_reference, "_CHUNK", 7)
    rng = np.random.default_rng(0)
    reports, references = (
        [" ".join(rng.choice(list("abcdefg心肺"), size=int(rng.integers(0, 12)))) for _ in range(n)] for n in (30, 20)
    )
    picks, scores = nearest_by_reference(reports, references)
    for pick, score, reference in zip(picks, scores, references, strict=True):
        all_scores = [unigram_f1(report, reference) for report in reports]
        assert score == pytest.approx(max(all_scores), abs=1e-6)
        assert pick == int(np.argmax(np.round(all_scores, 6)))


def test_a_repeated_word_counts_as_often_as_both_have_it() -> None:
    picks, scores = nearest_by_reference(["no no no", "no effusion"], ["no effusion no", ""])
    assert picks[0] == 1
    assert scores == pytest.approx([0.8, 0.0])
