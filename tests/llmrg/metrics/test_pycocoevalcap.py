"""Parity with pycocoevalcap itself, where it is installed (the extra [java]); its Java parts where Java is."""

import json
import random

import pytest

from llmrg.metrics.bleu import Bleu
from llmrg.metrics.cider import Cider
from llmrg.metrics.meteor import Meteor
from llmrg.metrics.ptb import ptb_tokens
from llmrg.metrics.ptb_jar import ptb_jar
from llmrg.metrics.rouge import RougeL
from llmrg.metrics.tokens import get_tokenizer

TEXT = "no acute effusion or pneumothorax the heart is enlarged lungs are clear . , 1.5 cm"
WORDS = TEXT.split()
ODD = [
    ("", ""),
    ("a", ""),
    ("", "a"),
    ("a", "a"),
    ("a b", "a b"),
    ("a b c d", "b a d c"),
    ("a a a a a", "a"),
    (" ", "a"),
]


def made_up(seed, count):
    draw = random.Random(seed)
    pairs = []
    for _ in range(count):
        reference = draw.choices(WORDS, k=draw.randint(1, 40))
        kept = [word for word in reference if draw.random() < 0.8]
        pairs.append((" ".join(kept + draw.choices(WORDS, k=draw.randint(0, 6))), " ".join(reference)))
    return pairs


def keyed(texts):
    return {place: [text] for place, text in enumerate(texts)}


@pytest.mark.parametrize("pairs", [*([pair] for pair in ODD), ODD, made_up(0, 40), made_up(1, 200)], ids=len)
def test_bleu_rouge_and_cider(pairs):
    pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed (the extra [java])")
    from pycocoevalcap.bleu.bleu import Bleu as TheirBleu
    from pycocoevalcap.cider.cider import Cider as TheirCider
    from pycocoevalcap.rouge.rouge import Rouge as TheirRouge

    own, other = zip(*pairs, strict=True)
    figures, each = TheirBleu(4).compute_score(keyed(other), keyed(own), verbose=0)
    for order in range(1, 5):
        rows = Bleu(order).statistics(own, other)
        assert float(Bleu(order).value(rows.sum(axis=0))) == pytest.approx(figures[order - 1], abs=1e-9)
        assert Bleu(order).value(rows) == pytest.approx(each[order - 1], abs=1e-9)
    both = [(RougeL(), TheirRouge())]
    if any(reference.split() for reference in other):  # without any word, theirs stops with an error
        both.append((Cider(), TheirCider()))
    for metric, theirs in both:
        figure, each = theirs.compute_score(keyed(other), keyed(own))
        rows = metric.statistics(own, other)
        assert float(metric.value(rows.sum(axis=0))) == pytest.approx(float(figure), abs=1e-9)
        assert metric.value(rows) == pytest.approx(list(each), abs=1e-9)


@pytest.mark.java
def test_meteor():
    from pycocoevalcap.meteor.meteor import Meteor as TheirMeteor

    pairs = made_up(2, 60)
    own, other = zip(*pairs, strict=True)
    figure, each = TheirMeteor().compute_score(keyed(other), keyed(own))
    rows = Meteor().statistics(own, other)
    assert float(Meteor().value(rows.sum(axis=0))) == pytest.approx(figure, abs=1e-9)
    assert Meteor().value(rows) == pytest.approx(each, abs=1e-9)


@pytest.mark.java
def test_ptb_tokens_of_the_jar_and_of_ours(test_data):
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    splits = json.loads((test_data / "iu_xray" / "annotation.json").read_text(encoding="utf-8"))
    texts = [study["report"] for study in splits["test"]] + ["", '(a) can\'t "x"', "1. STABLE.\n2. NO EDEMA."]
    theirs = PTBTokenizer().tokenize({place: [{"caption": text}] for place, text in enumerate(texts)})
    wanted = [theirs[place][0] for place in range(len(texts))]
    assert get_tokenizer("ptb-jar").all(texts) == wanted == [" ".join(tokens) for tokens in ptb_jar(texts)]
    assert sum(" ".join(ptb_tokens(text)) != line for text, line in zip(texts, wanted, strict=True)) <= 2
