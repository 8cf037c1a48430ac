"""BERTScore against its formula, written out."""

import math

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from llmrg.errors import UserError
from llmrg.language.bertscore import BertScoreEncoder, bertscore_metrics
from llmrg.metrics.scores import score_reports

HYPOTHESES = ["The heart is enlarged.", "双肺纹理增多。", "", "clear", "\ud800 clear"]
REFERENCES = ["The heart is not enlarged.", "双肺清晰，心影不大。", "clear", "clear", "\ud801 clear"]


@pytest.fixture
def path(tiny_checkpoint):
    return tiny_checkpoint("qwen3")


def by_hand(path, hypothesis, reference, *, layer, weights=lambda token: 1.0):
    """Zhang et al. 2020, equations 1 to 3 with weights, in double precision."""
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path).eval()
    vectors, tokens = [], []
    for text in (hypothesis, reference):
        ids = tokenizer(text)["input_ids"]
        with torch.no_grad():
            hidden = model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[layer][0].double()
        vectors.append([list(row / row.norm()) for row in hidden])
        tokens.append(ids)
    likeness = [[sum(a * b for a, b in zip(x, y, strict=True)).item() for y in vectors[1]] for x in vectors[0]]
    own, other = ([weights(token) for token in side] for side in tokens)
    precision = sum(w * max(row) for w, row in zip(own, likeness, strict=True)) / sum(own)
    columns = list(zip(*likeness, strict=True))
    recall = sum(w * max(column) for w, column in zip(other, columns, strict=True)) / sum(other)
    return precision, recall, 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("layer", [0, 1])
def test_greedy_matching_is_the_formula(path, layer):
    found = BertScoreEncoder(path, layer=layer, batch_size=2).scores(HYPOTHESES, REFERENCES)
    for place in (0, 1, 3):
        wanted = by_hand(path, HYPOTHESES[place], REFERENCES[place], layer=layer)
        assert found[place] == pytest.approx(wanted, abs=1e-5)
    assert found[2] == pytest.approx([0, 0, 0])
    assert found[3] == pytest.approx([1, 1, 1], abs=1e-5)


def test_rare_tokens_weigh_more(path):
    tokenizer = AutoTokenizer.from_pretrained(path)
    rows = [set(tokenizer(text.encode("utf-8", "replace").decode())["input_ids"]) for text in REFERENCES]

    def rarity(token):
        return math.log((len(rows) + 1) / (sum(token in row for row in rows) + 1))

    found = BertScoreEncoder(path, layer=1, idf=True).scores(HYPOTHESES, REFERENCES)
    assert found[0] == pytest.approx(by_hand(path, HYPOTHESES[0], REFERENCES[0], layer=1, weights=rarity), abs=1e-5)


def test_rescaling_and_last_layer(path):
    plain = BertScoreEncoder(path).scores(HYPOTHESES, REFERENCES)
    rescaled = BertScoreEncoder(path, baseline=(0.5, 0.25, 0.0)).scores(HYPOTHESES, REFERENCES)
    assert rescaled == pytest.approx((plain - [0.5, 0.25, 0.0]) / [0.5, 0.75, 1.0])


def test_it_is_a_metric_with_a_signature(path):
    texts = [dict(enumerate_ids(side)) for side in (HYPOTHESES, REFERENCES)]
    encoder = BertScoreEncoder(path, layer=1)
    scores = score_reports(*texts, language="en", metrics=(), more_metrics=bertscore_metrics(encoder), resamples=10)
    rows = encoder.scores(HYPOTHESES, REFERENCES)
    for place, name in enumerate(("bertscore_precision", "bertscore_recall", "bertscore_f1")):
        assert scores.metrics[name] == pytest.approx(np.mean(rows[:, place]))
        assert "|layer:1|idf:no|rescaled:no|longest:" in scores.signatures[name]
        assert name in scores.intervals


def enumerate_ids(texts):
    return ((str(place), text) for place, text in enumerate(texts))


def test_what_cannot_be_used_is_refused(path, tmp_path):
    with pytest.raises(UserError, match="local encoder"):
        BertScoreEncoder("roberta-large")
    with pytest.raises(UserError, match=r"config\.json"):
        BertScoreEncoder(tmp_path)
    with pytest.raises(UserError, match="no layer 99"):
        BertScoreEncoder(path, layer=99)
    with pytest.raises(UserError, match="baseline"):
        BertScoreEncoder(path, baseline=(1.0, 0.5, 0.5))
