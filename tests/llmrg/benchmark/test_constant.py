from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.benchmark.constant import best_constant, constant_scores
from llmrg.metrics.bleu import Bleu
from llmrg.metrics.tokens import get_tokenizer

TEXTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "肺"]), max_size=8).map(" ".join), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS)
def test_scores_are_those_of_bleu(candidates: list[str], references: list[str]) -> None:
    metric = Bleu(4)
    expected = [
        metric.value(metric.statistics([candidate] * len(references), references).sum(axis=0))
        for candidate in candidates
    ]
    np.testing.assert_allclose(constant_scores(candidates, references), expected, rtol=1e-12)


def test_the_best_on_validation_wins_not_the_most_frequent() -> None:
    reports = ["A B C D", "A B C D", "E F G H I", "J"]
    assert best_constant(reports, ["e f g h i", "e f g h z"], tokens=str.lower) == "E F G H I"


def test_a_tie_goes_to_the_more_frequent_report_and_empty_validation_to_training() -> None:
    assert best_constant(["x y z w", "a b c d", "a b c d"], ["q"], tokens=str) == "a b c d"
    assert best_constant(["x y z w", "a b c d", "a b c d"], [" "], tokens=str) == "a b c d"


def test_the_constant_report_of_iu_xray() -> None:
    """The report that an exhaustive search under R2Gen's own code found, by another way."""
    folder = os.environ.get("LLMRG_TEST_DATA")
    path = Path(folder or "absent", "iu_xray", "annotation.json")
    if not path.is_file():
        pytest.skip("the real split of IU X-ray needs LLMRG_TEST_DATA")
    splits = json.loads(path.read_text(encoding="utf-8"))
    training, validation = ([record["report"] for record in splits[name]] for name in ("train", "val"))
    found = best_constant(training, validation, tokens=get_tokenizer("ptb"))
    assert found.lower().startswith("the lungs are clear. there is no focal airspace consolidation.")
    assert found.lower().endswith("there are degenerative changes of the spine.")
