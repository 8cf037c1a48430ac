"""Wording metrics against figures that pycocoevalcap 1.2 gave (and its Java tokenizer for the ptb ones)."""

import json
import os
from pathlib import Path

import pytest

from llmrg.metrics.bleu import Bleu
from llmrg.metrics.cider import Cider
from llmrg.metrics.rouge import RougeL
from llmrg.metrics.tokens import get_tokenizer

VARIANTS = {"en_raw": "raw", "en_lower": "lower", "en_ptb": "ptb", "zh_char": "char", "zh_jieba": "jieba"}


@pytest.fixture(scope="module")
def golden():
    root = os.environ.get("LLMRG_TEST_DATA")
    path = Path(root or "", "golden", "golden_coco.json")
    if not root or not path.is_file():
        pytest.skip("golden scores need LLMRG_TEST_DATA")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_corpus_and_study_scores(golden, variant):
    cut = get_tokenizer(VARIANTS[variant])
    hypotheses, references = ([cut(text) for text in texts] for texts in zip(*golden[variant[:2]], strict=True))
    wanted = golden["scores"][variant]
    for metric in (*(Bleu(order) for order in range(1, 5)), RougeL(), Cider()):
        statistics = metric.statistics(hypotheses, references)
        assert float(metric.value(statistics.sum(axis=0))) == pytest.approx(wanted[metric.name], abs=1e-9)
        assert metric.value(statistics) == pytest.approx(wanted[f"{metric.name}_per"], rel=1e-9, abs=1e-12)


def test_ptb_and_jieba_tokens(golden):
    ptb, jieba = get_tokenizer("ptb"), get_tokenizer("jieba")
    for place, (hypothesis, reference) in enumerate(golden["en"]):
        assert ptb(hypothesis) == golden["scores"]["en_ptb"]["res"][str(place)][0]
        assert ptb(reference) == golden["scores"]["en_ptb"]["gts"][str(place)][0]
    for pair, wanted in zip(golden["zh"], golden["scores"]["zh_jieba_tokens"], strict=True):
        assert [jieba(text) for text in pair] == wanted


def test_ptb_sentences(golden):
    path = Path(os.environ["LLMRG_TEST_DATA"], "golden", "golden_ptb.json")
    for text, wanted in json.loads(path.read_text(encoding="utf-8")):
        assert get_tokenizer("ptb")(text) == wanted
