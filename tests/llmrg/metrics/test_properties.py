"""What must hold of any reports (Hypothesis)."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrg.errors import UserError
from llmrg.metrics.scores import score_reports
from llmrg.metrics.wording import wording_metrics

WORDS = st.lists(st.sampled_from(["心影", "不大", "effusion", "no", "clear", "。", "1.5"]), min_size=4, max_size=20)
TEXT = WORDS.map(" ".join)
ANY = st.text(st.characters(codec=None), max_size=30)
PAIRS = st.lists(st.tuples(TEXT | ANY, TEXT | ANY), min_size=1, max_size=5)
METRICS = ("bleu", "rouge_l", "cider", "chrf")
BEST = {"bleu": 1.0, "rouge_l": 1.0, "cider": 10.0, "chrf": 100.0}


def score(pairs, **options):
    sides = [{f"{place:03}": pair[side] for place, pair in enumerate(pairs)} for side in (0, 1)]
    return score_reports(*sides, **{"language": "en", "tokenizer": "raw", "metrics": METRICS, "resamples": 0} | options)


@settings(deadline=None, max_examples=60)
@given(st.lists(TEXT, min_size=1, max_size=5))
def test_a_report_that_is_its_reference_scores_best(texts):
    metrics = score([(text, text) for text in texts]).metrics
    for name in ("bleu_1", "bleu_4", "rouge_l"):
        assert metrics[name] == pytest.approx(1, abs=1e-6)
    assert metrics["chrf"] == pytest.approx(100)


@settings(deadline=None, max_examples=60)
@given(PAIRS)
def test_every_figure_is_within_its_range(pairs):
    metrics = score(pairs, resamples=3).metrics
    for name, value in metrics.items():
        assert math.isfinite(value)
        top = BEST.get("bleu" if name.startswith("bleu") else name, math.inf)
        assert -1e-12 <= value <= top + 1e-9


@settings(deadline=None, max_examples=40)
@given(PAIRS, st.randoms(use_true_random=False))
def test_order_changes_nothing(pairs, random):
    sides = [[(str(place), pair[side]) for place, pair in enumerate(pairs)] for side in (0, 1)]
    wanted = score_reports(*sides, language="en", tokenizer="raw", metrics=METRICS, resamples=4)
    for side in sides:
        random.shuffle(side)
    found = score_reports(*sides, language="en", tokenizer="raw", metrics=METRICS, resamples=4)
    assert found.to_mapping() == wanted.to_mapping()


@settings(deadline=None, max_examples=40)
@given(PAIRS, TEXT, TEXT)
def test_another_report_leaves_the_others_alone(pairs, hypothesis, reference):
    alone, together = score(pairs).per_report(), score([*pairs, (hypothesis, reference)]).per_report()
    for name in ("bleu_1", "bleu_4", "rouge_l", "chrf"):  # CIDEr's weights are those of the whole set
        assert together[name][:-1] == pytest.approx(alone[name])


@settings(deadline=None, max_examples=40)
@given(PAIRS)
def test_statistics_add_up(pairs):
    """The figure of a set is that of the sum of its rows, in one piece or in many."""
    for metric in wording_metrics(("bleu", "rouge_l", "chrf"), language="en")[0]:
        own, other = ([" ".join(pair[side].split()) for pair in pairs] for side in (0, 1))
        whole = metric.statistics(own, other)
        parts = [metric.statistics([a], [b])[0] for a, b in zip(own, other, strict=True)]
        assert whole.sum(axis=0) == pytest.approx(sum(parts), abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.sets(st.text(min_size=1, max_size=3), min_size=1, max_size=4), st.text(min_size=1, max_size=3))
def test_ids_that_differ_are_never_intersected(ids, extra):
    texts = dict.fromkeys(ids, "clear")
    if extra in texts:
        return
    for sides in ((texts | {extra: "x"}, texts), (texts, texts | {extra: "x"})):
        with pytest.raises(UserError):
            score_reports(*sides, language="en", resamples=0)


@settings(deadline=None, max_examples=40)
@given(PAIRS)
def test_every_figure_has_a_signature_that_says_how(pairs):
    scores = score(pairs)
    assert scores.signatures.keys() == scores.metrics.keys()
    for name, signature in scores.signatures.items():
        assert signature.startswith(f"{name}|")
        assert f"|n:{len(pairs)}|llmrg:" in signature
        if name != "distinct_ratio":
            assert "|ref:full|" in signature
