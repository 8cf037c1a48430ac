"""chrF against sacrebleu."""

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.metrics.chrf import Chrf

TEXT = st.text(st.sampled_from("ab 心影\n"), max_size=20) | st.text(max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6))
def test_corpus_and_study_scores_are_sacrebleus(pairs):
    own, other = (list(texts) for texts in zip(*pairs, strict=True))
    metric, oracle = Chrf(), sacrebleu.CHRF()
    rows = metric.statistics(own, other)
    assert float(metric.value(rows.sum(axis=0))) == pytest.approx(oracle.corpus_score(own, [other]).score, abs=1e-9)
    for value, hypothesis, reference in zip(metric.value(rows), own, other, strict=True):
        assert value == pytest.approx(oracle.sentence_score(hypothesis, [reference]).score, abs=1e-9)


def test_blocks_and_many_kinds_of_signs():
    rng = np.random.default_rng(0)
    signs = [chr(0x4E00 + place) for place in range(6000)]
    texts = ["".join(rng.choice(signs, size=200)) for _ in range(300)]
    own = [text[:150] + text[160:] for text in texts]
    rows = Chrf().statistics(own, texts)
    assert float(Chrf().value(rows.sum(axis=0))) == pytest.approx(
        sacrebleu.CHRF().corpus_score(own, [texts]).score, abs=1e-9
    )


def test_signature_and_lone_surrogates():
    assert Chrf().settings == f"case:mixed|eff:yes|nc:6|nw:0|space:no|sacrebleu:{sacrebleu.__version__}"
    rows = Chrf().statistics(["\ud800ab", ""], ["\ud800ab", ""])
    assert Chrf().value(rows) == pytest.approx([100.0, 0.0])
