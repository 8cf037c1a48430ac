"""The one entry: figures, refusals, odd texts, speed."""

import json
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmrg
from llmrg.errors import UserError
from llmrg.findings.vocabulary import get_vocabulary
from llmrg.metrics.bleu import Bleu
from llmrg.metrics.scores import score_reports
from llmrg.metrics.statistics import paired_randomisation

REFERENCES = {
    "s1": "双肺纹理清晰，心影不大。",
    "s2": "右侧胸腔积液，左肺清晰。",
    "s3": "心影增大，双肺纹理增多。",
    "s4": "双肺纹理清晰，心影不大。",
}
TRUE = {"s1": {}, "s2": {"pleural_effusion": "right"}, "s3": {"cardiomegaly": None}, "s4": {}}


def score(hypotheses=REFERENCES, references=REFERENCES, **options):
    return score_reports(hypotheses, references, **{"language": "zh", "resamples": 50} | options)


def with_findings(predicted, **options):
    return score(predicted_findings=predicted, true_findings=TRUE, vocabulary=get_vocabulary("ped_xray"), **options)


def test_references_score_best():
    scores = with_findings(TRUE, labeler="rules-1", truth="side-file")
    metrics = scores.metrics
    for name in ("bleu_1", "bleu_4", "rouge_l", "clinical_micro_f1", "side_accuracy"):
        assert metrics[name] == pytest.approx(1)
    assert metrics["clinical_macro_f1"] == pytest.approx(2 / 12)
    assert metrics["mean_length"] == 12
    assert metrics["distinct_ratio"] == pytest.approx(3 / 4)
    assert metrics["per_class"]["cardiomegaly"]["support"] == 1
    assert scores.signatures["bleu_4"] == f"bleu_4|coco1.2|tok:char|case:as-is|ref:full|n:4|llmrg:{llmrg.__version__}"
    assert "labeler:rules-1|truth:side-file" in scores.signatures["clinical_micro_f1"]
    assert json.loads(json.dumps(scores.to_mapping(), allow_nan=False)) == scores.to_mapping()


def test_an_undefined_side_accuracy_is_none():
    scores = with_findings({id_: {} for id_ in TRUE})
    assert scores.metrics["side_accuracy"] is None
    assert scores.metrics["clinical_micro_f1"] == 0
    assert "side_accuracy" not in scores.intervals


def test_order_of_studies_changes_nothing():
    texts = dict(zip(REFERENCES, ["心影不大。", "左肺", "双肺纹理增多", ""], strict=True))
    backwards = score(dict(reversed(texts.items())), dict(reversed(REFERENCES.items())))
    assert backwards.to_mapping() == score(texts).to_mapping()


def test_intervals_hold_the_figure_and_know_their_patients():
    texts = {f"{id_}-{i}": text for id_, text in REFERENCES.items() for i in range(20)}
    said = {id_: text[: 3 + 7 * i % 9] for i, (id_, text) in enumerate(texts.items())}
    patients = {id_: id_.split("-")[0] for id_ in texts} | {"of another split": "p"}
    alone = score(said, texts, resamples=200, seed=5)
    grouped = score(said, texts, resamples=200, seed=5, patients=patients)
    for name, interval in alone.intervals.items():
        assert interval.low <= alone.metrics[name] <= interval.high
    assert alone.metrics == grouped.metrics
    assert (alone.protocol["resampled"], grouped.protocol["resampled"]) == ("studies", "patients")
    assert (alone.protocol["clusters"], grouped.protocol["clusters"]) == (80, 4)
    assert alone.intervals["bleu_4"] != grouped.intervals["bleu_4"]
    assert not score(resamples=0).intervals


def test_statistics_serve_a_paired_test():
    worse = score({id_: text[:6] for id_, text in REFERENCES.items()})
    best = score()
    result = paired_randomisation(
        best.statistics["bleu"], worse.statistics["bleu"], Bleu(1).value, patients=best.patients, trials=200
    )
    assert result.difference == pytest.approx(best.metrics["bleu_1"] - worse.metrics["bleu_1"])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"hypotheses": {"s1": "a"}}, "3 ids"),
        ({"hypotheses": REFERENCES | {"s5": "a"}}, "'s5'"),
        ({"hypotheses": [*REFERENCES.items(), ("s1", "a")]}, "twice"),
        ({"hypotheses": {}, "references": {}}, "no reports"),
        ({"references": REFERENCES | {"s2": None}}, "'s2' is not a string"),
        ({"language": "de"}, "de"),
        ({"language": "de", "tokenizer": "raw"}, "de"),
        ({"tokenizer": "chars"}, "'char'"),
        ({"patients": {"s1": "p"}}, "patients"),
        ({"predicted_findings": TRUE}, "vocabulary"),
        (
            {
                "predicted_findings": {"s1": {}},
                "true_findings": TRUE,
                "vocabulary": get_vocabulary("ped_xray"),
            },
            "predicted findings",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options, match):
    with pytest.raises(UserError, match=match):
        score(**options)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(*[st.text(st.characters(codec=None), max_size=30)] * 2), min_size=1, max_size=4),
    st.sampled_from(["raw", "lower", "ptb", "char", "jieba"]),
)
def test_no_text_crashes(pairs, tokenizer):
    hypotheses = {str(i): pair[0] for i, pair in enumerate(pairs)}
    references = {str(i): pair[1] for i, pair in enumerate(pairs)}
    metrics = score(hypotheses, references, tokenizer=tokenizer, resamples=5).metrics
    assert all(value >= 0 for value in metrics.values())


@pytest.mark.parametrize("text", ["", "\0", "🫁🫀", "\ud800", "|||", "a\r\nb", " " * 50, "肺" * 5000])
def test_odd_texts_by_name(text):
    for tokenizer in ("raw", "ptb", "char", "jieba"):
        score(REFERENCES | {"s1": text}, REFERENCES, tokenizer=tokenizer)
        score(REFERENCES, REFERENCES | {"s1": text}, tokenizer=tokenizer)


def test_two_thousand_pairs_of_sixty_words_take_less_than_three_seconds():
    draw = random.Random(0)
    words = [f"word{i}" for i in range(400)]
    texts = [
        {str(i): " ".join(draw.choices(words, weights=[1 / (w + 1) for w in range(400)], k=60)) for i in range(2000)}
        for _ in range(2)
    ]
    started = time.process_time()
    score(*texts, language="en", tokenizer="raw", resamples=0)
    assert time.process_time() - started < 3
